// SPDX-License-Identifier: MIT

// Preloaded into a program: a SIGHUP that comes while the program's libraries set themselves up.

#include <signal.h>

[[gnu::constructor]] static void signal_early() {
  raise(SIGHUP);
}
