// SPDX-License-Identifier: MIT
#include "sanitizer_messages.h"

#include <gtest/gtest.h>

namespace pbotvm::c {
namespace {

constexpr char use_after_free[] = R"(before
=================================================================
==3214==ERROR: AddressSanitizer: heap-use-after-free on address 0x602000000011 at pc 0x55dfa5a8a23e bp 0x7ffc9ea31920 sp 0x7ffc9ea31918
WRITE of size 1 at 0x602000000011 thread T0
    #0 0x55dfa5a8a23d in f /home/vm/prog.c:2
    #1 0x55dfa5a8a275 in main /home/vm/prog.c:3
    #2 0x7f079e245249 in __libc_start_call_main ../sysdeps/nptl/libc_start_call_main.h:58

0x602000000011 is located 1 bytes inside of 4-byte region [0x602000000010,0x602000000014)
freed by thread T0 here:
    #0 0x7f079ecb76a8 in __interceptor_free ../../../../src/libsanitizer/asan/asan_malloc_linux.cpp:52
    #1 0x55dfa5a8a269 in main /home/vm/prog.c:4

previously allocated by thread T0 here:
    #0 0x7f079ecb89cf in __interceptor_malloc ../../../../src/libsanitizer/asan/asan_malloc_linux.cpp:69
    #1 0x55dfa5a8a259 in main /home/vm/prog.c:5

SUMMARY: AddressSanitizer: heap-use-after-free /home/vm/prog.c:2 in f
Shadow bytes around the buggy address:
  0x0c047fff7fb0: 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00
==3214==ABORTING
)";

TEST(SanitizerMessages, TellOfAFreedBlockWhoFreedItAndWhoMadeIt) {
  EXPECT_EQ(sanitizer_messages(use_after_free, "prog.c", false),
            "before\nAddressSanitizer: heap-use-after-free: write of 1 byte in f at line 2, 1 byte inside of a 4-byte "
            "region, freed in main at line 4, allocated in main at line 5\n");
}

TEST(SanitizerMessages, LeaveLinesOutForCodeOfOneLine) {
  EXPECT_EQ(sanitizer_messages(use_after_free, "prog.c", true),
            "before\nAddressSanitizer: heap-use-after-free: write of 1 byte in f, 1 byte inside of a 4-byte region, "
            "freed in main, allocated in main\n");
}

TEST(SanitizerMessages, NameTheVariableThatWasLeft) {
  EXPECT_EQ(
      sanitizer_messages(R"(=================================================================
==3311==ERROR: AddressSanitizer: stack-buffer-overflow on address 0x7ffd064a86f4 at pc 0x7fa81b648061 bp 0x7ffd sp 0x7ffd
WRITE of size 12 at 0x7ffd064a86f4 thread T0
    #0 0x7fa81b648060 in __interceptor_memcpy ../../../../src/libsanitizer/sanitizer_common_interceptors.inc:827
    #1 0x55dc7d7b8227 in main prog.c:2

Address 0x7ffd064a86f4 is located in stack of thread T0 at offset 36 in frame
    #0 0x55dc7d7b81a8 in g prog.c:9

  This frame has 1 object(s):
    [32, 36) 'a' (line 2) <== Memory access at offset 36 overflows this variable
HINT: this may be a false positive if your program uses some custom stack unwind mechanism, swapcontext or vfork
SUMMARY: AddressSanitizer: stack-buffer-overflow ../sanitizer_common_interceptors.inc:827 in __interceptor_memcpy
==3311==ABORTING
after
)",
                         "prog.c", false),
      "AddressSanitizer: stack-buffer-overflow: write of 12 bytes in main at line 2, beyond variable 'a'\nafter\n");
}

TEST(SanitizerMessages, CountWhatLeaked) {
  EXPECT_EQ(sanitizer_messages(R"(
=================================================================
==3289==ERROR: LeakSanitizer: detected memory leaks

Direct leak of 4 byte(s) in 1 object(s) allocated from:
    #0 0x7fafe54b89cf in __interceptor_malloc ../../../../src/libsanitizer/asan/asan_malloc_linux.cpp:69
    #1 0x55c9c47d21e6 in main /home/vm/prog.c:2

SUMMARY: AddressSanitizer: 4 byte(s) leaked in 1 allocation(s).
)",
                               "prog.c", false),
            "\nLeakSanitizer: 4 bytes leaked, allocated in main at line 2\n");
}

TEST(SanitizerMessages, KeepThePlaceOfARuntimeErrorUnlessItTellsNothing) {
  constexpr std::string_view text =
      "/home/vm/prog.cpp:2:37: runtime error: index 3 out of bounds for type 'int [3]'\n"
      "0x7ffcc4d93ccc: note: pointer points here\n  00 00 00 00\n              ^ \nmine\n";
  EXPECT_EQ(sanitizer_messages(text, "prog.cpp", false),
            "prog.cpp:2:37: runtime error: index 3 out of bounds for type 'int [3]'\nmine\n");
  EXPECT_EQ(sanitizer_messages(text, "prog.cpp", true),
            "runtime error: index 3 out of bounds for type 'int [3]'\nmine\n");
}

TEST(SanitizerMessages, ShortenAFailedAssertion) {
  EXPECT_EQ(sanitizer_messages("prog: prog.c:1: main: Assertion `x == 2' failed.\n", "prog.c", true),
            "main: Assertion `x == 2' failed.\n");
  EXPECT_EQ(sanitizer_messages("prog: prog.c:4: main: Assertion `x == 2' failed.\n", "prog.c", false),
            "prog.c:4: main: Assertion `x == 2' failed.\n");
}

TEST(SanitizerMessages, LeaveTheProgramsOwnWordsAlone) {
  constexpr std::string_view text = "==ERROR==\n====\nprog.c:1: mine\n  0x12: note\nno end";
  EXPECT_EQ(sanitizer_messages(text, "prog.c", true), text);
}

TEST(SanitizerMessages, SurviveAReportThatBreaksOff) {
  EXPECT_EQ(sanitizer_messages("==1==ERROR: AddressSanitizer: SEGV on unknown address\nREAD of size", "prog.c", true),
            "AddressSanitizer: SEGV");
}

}  // namespace
}  // namespace pbotvm::c
