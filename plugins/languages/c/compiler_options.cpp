// SPDX-License-Identifier: MIT
#include "compiler_options.h"

#include <string_view>

namespace pbotvm::c {

namespace {

// Behind -f and -fno-: what changes code, or how messages look. None names a file, loads code, starts another program
// or lets the compiler write more than the program itself: in gcc 12 to 14 and clang 14 to 18 many others do, and each
// release brings more of them.
constexpr std::string_view flags[] = {
    // clang-format off
    "sanitize-recover*", "sanitize-trap*", "sanitize-undefined-trap-on-error", "sanitize-address-use-after-scope",
    "sanitize-address-use-after-return*", "stack-protector*", "stack-check", "stack-clash-protection",
    "stack-reuse=*", "split-stack", "cf-protection*", "hardened", "harden-*", "trivial-auto-var-init=*",
    "zero-call-used-regs=*", "omit-frame-pointer", "optimize-sibling-calls", "inline", "inline-*", "unroll*",
    "peel-loops", "split-loops", "split-paths", "unswitch-loops", "vectorize", "slp-vectorize", "tree-*", "ipa-*",
    "gcse*", "if-conversion*", "reorder-*", "schedule-insns*", "align-*", "loop-*", "sched-*", "ssa-*", "graphite*",
    "cse-*", "ivopts", "code-hoisting", "crossjumping", "forward-propagate", "expensive-optimizations",
    "early-inlining", "partial-inlining", "indirect-inlining", "devirtualize*", "jump-tables", "prefetch-loop-arrays",
    "thread-jumps", "version-loops-for-strides", "vect-cost-model=*", "simd-cost-model=*", "rename-registers",
    "caller-saves", "peephole*", "dce", "dse", "finite-loops", "aggressive-loop-optimizations",
    "guess-branch-probability", "printf-return-value", "shrink-wrap*", "store-merging", "predictive-commoning",
    "split-wide-types*", "merge-constants", "merge-all-constants", "keep-*", "eliminate-*", "var-tracking*",
    "debug-types-section", "toplevel-reorder", "unit-at-a-time", "whole-program", "lto", "strict-*", "wrapv*",
    "trapv", "delete-null-pointer-checks", "isolate-erroneous-paths-*", "lifetime-dse*", "fast-math",
    "finite-math-only", "math-errno", "trapping-math", "signed-zeros", "signaling-nans", "associative-math",
    "reciprocal-math", "rounding-math", "unsafe-math-optimizations", "fp-*", "excess-precision=*", "float-store",
    "single-precision-constant", "cx-limited-range", "cx-fortran-rules", "honor-nans", "honor-infinities",
    "denormal-fp-math=*", "builtin", "builtin-*", "freestanding", "hosted", "gnu89-inline", "ms-extensions",
    "plan9-extensions", "permissive", "permitted-flt-eval-methods=*", "short-enums", "short-wchar", "signed-char",
    "unsigned-char", "signed-bitfields", "unsigned-bitfields", "pack-struct*", "common", "zero-initialized-in-bss",
    "data-sections", "function-sections", "pic", "PIC", "pie", "PIE", "plt", "visibility=*",
    "visibility-inlines-hidden", "semantic-interposition", "leading-underscore", "tls-model=*", "exceptions",
    "non-call-exceptions", "unwind-tables", "asynchronous-unwind-tables", "rtti", "threadsafe-statics",
    "sized-deallocation", "aligned-new*", "aligned-allocation", "char8_t", "coroutines*", "concepts*", "contracts*",
    "constexpr-*", "template-depth*", "template-backtrace-limit=*", "elide-constructors", "elide-type",
    "access-control", "enforce-eh-specs", "implicit-templates", "implicit-inline-templates", "new-inheriting-ctors",
    "new-ttp-matching", "operator-names", "for-scope", "weak", "nothrow-opt", "check-new", "abi-version=*",
    "abi-compat-version=*", "strong-eval-order*", "ext-numeric-literals", "extended-identifiers",
    "dollars-in-identifiers", "trigraphs", "digraphs", "blocks", "nested-functions", "delayed-template-parsing",
    "relaxed-template-template-args", "lax-vector-conversions*", "cond-mismatch", "bracket-depth=*",
    "assume-sane-operator-new", "asm", "openmp", "openmp-simd", "instrument-functions", "verbose-asm",
    "exec-charset=*", "wide-exec-charset=*", "working-directory", "analyzer", "analyzer-*", "diagnostics-show-*",
    "caret-diagnostics*", "max-errors=*", "error-limit=*", "spell-checking*", "macro-backtrace-limit=*",
    "pretty-templates", "track-macro-expansion*",
    // clang-format on
};

}  // namespace

std::vector<std::string> option_rules() {
  std::vector<std::string> rules = {
      "-O*",
      "-W*",
      "-fsanitize=*",
      "-fno-sanitize=*",
      "-std=*",
      "-D*",
      "-U*",
      "-l*",
      "-m*",
      "-pthread",
      "-include *",
      "-nomain",
      "-noheaders",
      "-g",
      "-w",
      "-pedantic",
      "-pedantic-errors",
      "-ansi",
      "--std=*",
      "-D *",
      "-U *",
      "-l *",
      "-g?",
      "-ggdb*",
      "-gdwarf*",
      "-static",
      "-s",
      "-pie",
      "-no-pie",
      "-nostdinc",
      "-nostdinc++",
      "-nostdlib",
      "-nodefaultlibs",
      "-nostartfiles",
      "-rdynamic",
      "-trigraphs",
      "-undef",
      "-stdlib=*",
      // Words for other programs: the linker, the assembler, the preprocessor; LLVM itself.
      "!-Wl,*",
      "!-Wa,*",
      "!-Wp,*",
      "!-mllvm*",
      // Files of somebody else's.
      "!-f*/*",
      "!-f*..*",
      "!-f*list=*",
      "!-fbuiltin-module*",
      "!-module*",
      "!-m*/*",
      "!-l*/*",
      // The request's own, behind the others.
      "!-lang",
      "!-lang=*",
      // A driver hands what is glued to such an option on as a word of its own, and the compiler reads options from it.
      "!-?@*",
      "!-D @*",
      "!-U @*",
      "!-l @*",
      "!-l */*",
      "!-stdlib=*/*",
      // Names of what is put around the code.
      "!-D*PBOTVM_*",
      "!-D*pbotvm_*",
      "!-U*PBOTVM_*",
      "!-U*pbotvm_*",
      "!-D *PBOTVM_*",
      "!-D *pbotvm_*",
      "!-U *PBOTVM_*",
      "!-U *pbotvm_*",
      // Headers of the system only.
      "!-include /*",
      "!-include *..*",
      "!-include @*",
  };
  for (const std::string_view flag : flags) {
    rules.push_back("-f" + std::string(flag));
    rules.push_back("-fno-" + std::string(flag));
  }
  return rules;
}

}  // namespace pbotvm::c
