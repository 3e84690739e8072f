/* SPDX-License-Identifier: MIT */
/*
 * The headers that a C snippet has when it names none itself. One file, so that an image can hold it precompiled. Each
 * header is asked for only where the standard in force has it; those of POSIX are always there.
 */
#ifndef PBOTVM_USUAL_H
#define PBOTVM_USUAL_H 1
/* Asked for, so that gcc minds whether a job has it: see guest/setup/precompile. */
#ifdef PBOTVM_SANITIZED_
#endif
#define _XOPEN_SOURCE 9001
#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <iso646.h>
#include <limits.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>
#if defined __STDC_VERSION__ && __STDC_VERSION__ >= 199901L
#include <complex.h>
#include <fenv.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <tgmath.h>
#endif
#if defined __STDC_VERSION__ && __STDC_VERSION__ >= 201112L
#include <stdalign.h>
#include <stdnoreturn.h>
#include <uchar.h>
#endif
#endif
