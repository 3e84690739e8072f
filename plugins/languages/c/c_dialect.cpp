// SPDX-License-Identifier: MIT
#include "c_dialect.h"

#include <algorithm>
#include <stdexcept>

namespace pbotvm::c {

namespace {

constexpr bool c = false, cplusplus = true, gcc = false, clang = true;

// Behind -f and -fno-: what changes code, or how messages look. None names a file, loads code, starts another program
// or lets the compiler write more than the program itself: in gcc 12 to 14 and clang 14 to 18 many others do, and each
// release brings more of them.
constexpr std::string_view flags[] = {"sanitize-recover*",
                                      "sanitize-trap*",
                                      "sanitize-undefined-trap-on-error",
                                      "sanitize-address-use-after-scope",
                                      "sanitize-address-use-after-return*",
                                      "stack-protector*",
                                      "stack-check",
                                      "stack-clash-protection",
                                      "stack-reuse=*",
                                      "split-stack",
                                      "cf-protection*",
                                      "hardened",
                                      "harden-*",
                                      "trivial-auto-var-init=*",
                                      "zero-call-used-regs=*",
                                      "omit-frame-pointer",
                                      "optimize-sibling-calls",
                                      "inline",
                                      "inline-*",
                                      "unroll*",
                                      "peel-loops",
                                      "split-loops",
                                      "split-paths",
                                      "unswitch-loops",
                                      "vectorize",
                                      "slp-vectorize",
                                      "tree-*",
                                      "ipa-*",
                                      "gcse*",
                                      "if-conversion*",
                                      "reorder-*",
                                      "schedule-insns*",
                                      "align-*",
                                      "loop-*",
                                      "sched-*",
                                      "ssa-*",
                                      "graphite*",
                                      "cse-*",
                                      "ivopts",
                                      "code-hoisting",
                                      "crossjumping",
                                      "forward-propagate",
                                      "expensive-optimizations",
                                      "early-inlining",
                                      "partial-inlining",
                                      "indirect-inlining",
                                      "devirtualize*",
                                      "jump-tables",
                                      "prefetch-loop-arrays",
                                      "thread-jumps",
                                      "version-loops-for-strides",
                                      "vect-cost-model=*",
                                      "simd-cost-model=*",
                                      "rename-registers",
                                      "caller-saves",
                                      "peephole*",
                                      "dce",
                                      "dse",
                                      "finite-loops",
                                      "aggressive-loop-optimizations",
                                      "guess-branch-probability",
                                      "printf-return-value",
                                      "shrink-wrap*",
                                      "store-merging",
                                      "predictive-commoning",
                                      "split-wide-types*",
                                      "merge-constants",
                                      "merge-all-constants",
                                      "keep-*",
                                      "eliminate-*",
                                      "var-tracking*",
                                      "debug-types-section",
                                      "toplevel-reorder",
                                      "unit-at-a-time",
                                      "whole-program",
                                      "lto",
                                      "strict-*",
                                      "wrapv*",
                                      "trapv",
                                      "delete-null-pointer-checks",
                                      "isolate-erroneous-paths-*",
                                      "lifetime-dse*",
                                      "fast-math",
                                      "finite-math-only",
                                      "math-errno",
                                      "trapping-math",
                                      "signed-zeros",
                                      "signaling-nans",
                                      "associative-math",
                                      "reciprocal-math",
                                      "rounding-math",
                                      "unsafe-math-optimizations",
                                      "fp-*",
                                      "excess-precision=*",
                                      "float-store",
                                      "single-precision-constant",
                                      "cx-limited-range",
                                      "cx-fortran-rules",
                                      "honor-nans",
                                      "honor-infinities",
                                      "denormal-fp-math=*",
                                      "builtin",
                                      "builtin-*",
                                      "freestanding",
                                      "hosted",
                                      "gnu89-inline",
                                      "ms-extensions",
                                      "plan9-extensions",
                                      "permissive",
                                      "permitted-flt-eval-methods=*",
                                      "short-enums",
                                      "short-wchar",
                                      "signed-char",
                                      "unsigned-char",
                                      "signed-bitfields",
                                      "unsigned-bitfields",
                                      "pack-struct*",
                                      "common",
                                      "zero-initialized-in-bss",
                                      "data-sections",
                                      "function-sections",
                                      "pic",
                                      "PIC",
                                      "pie",
                                      "PIE",
                                      "plt",
                                      "visibility=*",
                                      "visibility-inlines-hidden",
                                      "semantic-interposition",
                                      "leading-underscore",
                                      "tls-model=*",
                                      "exceptions",
                                      "non-call-exceptions",
                                      "unwind-tables",
                                      "asynchronous-unwind-tables",
                                      "rtti",
                                      "threadsafe-statics",
                                      "sized-deallocation",
                                      "aligned-new*",
                                      "aligned-allocation",
                                      "char8_t",
                                      "coroutines*",
                                      "concepts*",
                                      "contracts*",
                                      "constexpr-*",
                                      "template-depth*",
                                      "template-backtrace-limit=*",
                                      "elide-constructors",
                                      "elide-type",
                                      "access-control",
                                      "enforce-eh-specs",
                                      "implicit-templates",
                                      "implicit-inline-templates",
                                      "new-inheriting-ctors",
                                      "new-ttp-matching",
                                      "operator-names",
                                      "for-scope",
                                      "weak",
                                      "nothrow-opt",
                                      "check-new",
                                      "abi-version=*",
                                      "abi-compat-version=*",
                                      "strong-eval-order*",
                                      "ext-numeric-literals",
                                      "extended-identifiers",
                                      "dollars-in-identifiers",
                                      "trigraphs",
                                      "digraphs",
                                      "blocks",
                                      "nested-functions",
                                      "delayed-template-parsing",
                                      "relaxed-template-template-args",
                                      "lax-vector-conversions*",
                                      "cond-mismatch",
                                      "bracket-depth=*",
                                      "assume-sane-operator-new",
                                      "asm",
                                      "openmp",
                                      "openmp-simd",
                                      "instrument-functions",
                                      "verbose-asm",
                                      "exec-charset=*",
                                      "wide-exec-charset=*",
                                      "working-directory",
                                      "analyzer",
                                      "analyzer-*",
                                      "diagnostics-show-*",
                                      "caret-diagnostics*",
                                      "max-errors=*",
                                      "error-limit=*",
                                      "spell-checking*",
                                      "macro-backtrace-limit=*",
                                      "pretty-templates",
                                      "track-macro-expansion*"};

}  // namespace

const std::vector<Dialect>& dialects() {
  static const std::vector<Dialect> all = {
      {"c89", "", "c89", c, gcc},
      {"c99", "", "c99", c, gcc},
      {"c11", "", "c11", c, gcc},
      {"c17", "", "c17", c, gcc},
      {"c2x", "c23", "c2x", c, gcc},
      {"clang89", "", "c89", c, clang},
      {"clang99", "", "c99", c, clang},
      {"clang11", "", "c11", c, clang},
      {"clang2x", "clang", "c2x", c, clang},
      {"c++", "cpp", "c++14", cplusplus, gcc},
      {"c++17", "", "c++17", cplusplus, gcc},
      {"c++20", "", "c++20", cplusplus, gcc},
      {"c++23", "", "c++23", cplusplus, gcc},
      {"clang++", "clangpp", "c++14", cplusplus, clang},
  };
  return all;
}

const Dialect& dialect(std::string_view name) {
  const auto found = std::find_if(dialects().begin(), dialects().end(),
                                  [&](const Dialect& each) { return each.name == name || each.other_name == name; });
  if (name.empty() || found == dialects().end()) throw std::out_of_range("no dialect of C: " + std::string(name));
  return *found;
}

std::string_view Dialect::compiler() const {
  if (clang) return cplusplus ? "clang++" : "clang";
  return cplusplus ? "g++" : "gcc";
}

std::vector<std::string> Dialect::default_options(bool carets) const {
  std::vector<std::string> options = {"-Wextra",
                                      "-Wall",
                                      "-Wno-unused-parameter",
                                      "-Wno-unused-variable",
                                      "-pedantic",
                                      "-Wfloat-equal",
                                      "-Wshadow",
                                      "-std=" + std::string(standard),
                                      "-lm",
                                      "-Wfatal-errors"};
  options.push_back(clang && !cplusplus ? "-fsanitize=integer,alignment,undefined" : "-fsanitize=alignment,undefined");
  if (name == "c11" || name == "c17" || name == "c2x") {
    options.push_back("-fsanitize-address-use-after-scope");
    options.push_back("-fno-omit-frame-pointer");
  }
  options.push_back(caret_option(carets));
  return options;
}

std::string Dialect::caret_option(bool carets) const {
  return std::string(carets ? "-f" : "-fno-") + (clang ? "caret-diagnostics" : "diagnostics-show-caret");
}

std::vector<std::string> Dialect::compile_command(const std::vector<std::string>& options) const {
  std::vector<std::string> argv = {std::string(compiler()), cplusplus ? "-ggdb" : "-gdwarf-2", "-g3",
                                   std::string(source())};
  const std::vector<std::string> used = options.empty() ? default_options() : options;
  argv.insert(argv.end(), used.begin(), used.end());
  argv.insert(argv.end(), {"-o", "prog"});
  return argv;
}

std::vector<std::string> Dialect::packages(std::string_view distribution) const {
  if (distribution == "debian") {
    if (clang) return {"clang", "libclang-rt-14-dev", "libc6-dev", "gdb", "elfutils"};
    return {cplusplus ? "g++" : "gcc", "libc6-dev", "gdb", "elfutils"};
  }
  if (distribution == "fedora") {
    if (clang) return {"clang", "compiler-rt", "glibc-devel", "gdb", "elfutils"};
    return {cplusplus ? "gcc-c++" : "gcc", "libubsan", "glibc-devel", "gdb", "elfutils"};
  }
  if (distribution == "opensuse") {
    if (clang) return {"clang", "glibc-devel", "gdb", "elfutils"};
    return {cplusplus ? "gcc-c++" : "gcc", "glibc-devel", "gdb", "elfutils"};
  }
  return {};
}

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
      // A driver hands what is glued to such an option on as a word of its own, and the compiler reads options from it.
      "!-?@*",
      "!-D @*",
      "!-U @*",
      "!-l @*",
      "!-l */*",
      "!-stdlib=*/*",
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
