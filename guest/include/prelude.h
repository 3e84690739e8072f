/* SPDX-License-Identifier: MIT */
/*
 * <prelude.h>: PBot's host includes it in every C program. It brings
 *   %b in printf            binary; %#b in whole groups of four digits, with ' dots between them
 *   print(x) dump(x)        x = value
 *   whatis(x) ptype(x)      x = type
 *   gdb("command")          what gdb says to that about the running program
 *   print_last_statement(x) no output: x = value, unless the program has printed something
 * Standard output is not buffered, and the locale is that of the environment.
 * trace(x) and watch(x) are accepted and say that they cannot be had.
 *
 * From C89 on, and in C++. No name of another header than those below is declared.
 */
#ifndef PBOTVM_PRELUDE_H
#define PBOTVM_PRELUDE_H
#pragma GCC system_header /* C89 has no long long, no variadic macros ... */

#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <wchar.h>

#include "pbotvm/binary.h"

/* `inline`: what the program does not use is compiled to nothing, also without optimisation. */
#define PRELUDE_LOCAL_ static __inline__ __attribute__((__unused__, __no_sanitize_undefined__))

#ifdef __cplusplus
extern "C" {
#endif

/* Functions of headers that the program may not have asked for. */
extern int prelude_access_(const char*, int) __asm__("access");
extern int prelude_close_(int) __asm__("close");
extern int prelude_dup2_(int, int) __asm__("dup2");
extern int prelude_execvp_(const char*, char* const[]) __asm__("execvp");
extern int prelude_fork_(void) __asm__("fork");
extern int prelude_getpid_(void) __asm__("getpid");
extern int prelude_open_(const char*, int, ...) __asm__("open");
extern int prelude_pipe_(int[2]) __asm__("pipe");
extern int prelude_prctl_(int, ...) __asm__("prctl");
extern int prelude_waitpid_(int, int*, int) __asm__("waitpid");
extern int* prelude_errno_(void) __asm__("__errno_location");
extern void prelude_exit_(int) __asm__("_exit");

/* ---- the beginning */

/* Bytes that this process has written so far, to whatever. */
PRELUDE_LOCAL_ unsigned long long prelude_written_(void) {
  unsigned long long bytes = 0;
  FILE* const file = fopen("/proc/self/io", "r");
  if (!file) return 0;
  if (fscanf(file, "rchar: %*u wchar: %llu", &bytes) != 1) bytes = 0;
  fclose(file);
  return bytes;
}

static unsigned long long prelude_written_before_;

__attribute__((__constructor__)) static void prelude_begin_(void) {
  prelude_written_before_ = prelude_written_();
  setvbuf(stdout, NULL, _IONBF, 0);
  setlocale(LC_ALL, "");
}

/* ---- asking gdb */

PRELUDE_LOCAL_ void prelude_start_gdb_(int pid, int to, const char* function, const char* command) {
  char process[32], frame[300], *arguments[16];
  int nothing = prelude_open_("/dev/null", 2), at = 0;
  sprintf(process, "%d", pid);
  sprintf(frame, "frame function %.250s", function);
  prelude_dup2_(nothing, 0);
  prelude_dup2_(to, 1);
  prelude_dup2_(nothing, 2);
  arguments[at++] = (char*)"gdb";
  arguments[at++] = (char*)"-nx";
  arguments[at++] = (char*)"-q";
  arguments[at++] = (char*)"-batch";
  arguments[at++] = (char*)"-p";
  arguments[at++] = process;
  arguments[at++] = (char*)"-ex";
  arguments[at++] = frame;
  arguments[at++] = (char*)"-ex";
  arguments[at++] = (char*)"echo \\001";
  arguments[at++] = (char*)"-ex";
  arguments[at++] = (char*)command;
  arguments[at++] = (char*)"-ex";
  arguments[at++] = (char*)"echo \\002";
  arguments[at] = NULL;
  prelude_execvp_("gdb", arguments);
  prelude_exit_(127);
}

/* Shows what stands between the marks, with `name = ` instead of what gdb puts before it. */
PRELUDE_LOCAL_ int prelude_show_answer_(FILE* answer, const char* name) {
  int c, shown = 0;
  while ((c = fgetc(answer)) != EOF && c != 1) {
  }
  if (c == EOF) return 0;
  if (name) {
    while ((c = fgetc(answer)) != EOF && c != 2 && c != '=') {
    }
    if (c != '=') return 0;
    printf("%s =", name);
  }
  while ((c = fgetc(answer)) != EOF && c != 2) {
    putchar(c);
    shown = c;
  }
  if (shown != '\n') putchar('\n');
  return 1;
}

PRELUDE_LOCAL_ int prelude_ask_gdb_(const char* function, const char* command, const char* name) {
  int ends[2], pid, shown = 0, status;
  FILE* answer = NULL;
  char path[32];
  const int self = prelude_getpid_();
  if (prelude_pipe_(ends) < 0) return 0;
  prelude_prctl_(0x59616d61, -1L, 0L, 0L, 0L); /* PR_SET_PTRACER: a child may look, where that needs a word */
  pid = prelude_fork_();
  if (pid == 0) prelude_start_gdb_(self, ends[1], function, command);
  prelude_close_(ends[1]);
  sprintf(path, "/proc/self/fd/%d", ends[0]);
  if (pid > 0) answer = fopen(path, "r");
  if (answer) {
    shown = prelude_show_answer_(answer, name);
    fclose(answer);
  }
  prelude_close_(ends[0]);
  if (pid > 0)
    while (prelude_waitpid_(pid, &status, 0) < 0 && *prelude_errno_() == 4) {
    }
  return shown;
}

/* `verb` and an expression; what it stands for is in the frame of `function`. */
PRELUDE_LOCAL_ void prelude_gdb_(const char* function, const char* verb, const char* expression) {
  char command[4096];
  sprintf(command, "%s %.4000s", verb, expression);
  if (!prelude_ask_gdb_(function, command, expression)) printf("%s: gdb has no answer\n", expression);
}

PRELUDE_LOCAL_ void prelude_cannot_(const char* what, const char* expression) {
  printf("%s(%s) is not available here\n", what, expression);
}

/* A function as well as a macro: one may take its address. */
PRELUDE_LOCAL_ void gdb(const char* command) {
  if (!prelude_ask_gdb_("main", command, NULL)) printf("gdb has no answer\n");
}
#define gdb(command) ((void)(prelude_ask_gdb_(__FUNCTION__, command, NULL) || printf("gdb has no answer\n")))

/* ---- showing values */

/* How a value is introduced, and for which expression. */
struct prelude_about_ {
  const char *before, *expression, *function;
};

PRELUDE_LOCAL_ struct prelude_about_ prelude_about_(const char* before, const char* expression, const char* function) {
  struct prelude_about_ about;
  about.before = before;
  about.expression = expression;
  about.function = function;
  return about;
}

/* Not for the last statement of a program that has spoken; 1 when the value is to follow. */
PRELUDE_LOCAL_ int prelude_name_(const struct prelude_about_* about) {
  if (about->before[0] && prelude_written_() != prelude_written_before_) return 0;
  printf("%s%s = ", about->before, about->expression);
  return 1;
}

PRELUDE_LOCAL_ void prelude_character_(int c) {
  if (c == '\\' || c == '\'' || c == '"') {
    printf("\\%c", c);
  } else if (c >= 32 && c < 127) {
    putchar(c);
  } else {
    printf("\\%03o", c & 0xff);
  }
}

PRELUDE_LOCAL_ void prelude_show_bool_(struct prelude_about_ about, int value) {
  if (prelude_name_(&about)) puts(value ? "true" : "false");
}

PRELUDE_LOCAL_ void prelude_show_char_(struct prelude_about_ about, int value) {
  if (!prelude_name_(&about)) return;
  printf("%d '", value);
  prelude_character_(value);
  puts("'");
}

PRELUDE_LOCAL_ void prelude_show_signed_(struct prelude_about_ about, long long value) {
  if (prelude_name_(&about)) printf("%lld\n", value);
}

PRELUDE_LOCAL_ void prelude_show_unsigned_(struct prelude_about_ about, unsigned long long value) {
  if (prelude_name_(&about)) printf("%llu\n", value);
}

PRELUDE_LOCAL_ void prelude_show_float_(struct prelude_about_ about, double value) {
  if (prelude_name_(&about)) printf("%.9g\n", value);
}

PRELUDE_LOCAL_ void prelude_show_double_(struct prelude_about_ about, double value) {
  if (prelude_name_(&about)) printf("%.17g\n", value);
}

PRELUDE_LOCAL_ void prelude_show_long_double_(struct prelude_about_ about, long double value) {
  if (prelude_name_(&about)) printf("%.18Lg\n", value);
}

PRELUDE_LOCAL_ void prelude_show_pointer_(struct prelude_about_ about, const volatile void* value) {
  if (prelude_name_(&about)) printf("0x%lx\n", (unsigned long)value);
}

PRELUDE_LOCAL_ void prelude_show_text_(struct prelude_about_ about, const void* value) {
  const char* text = (const char*)value;
  int left = 200;
  if (!text) {
    if (prelude_name_(&about)) puts("0x0");
    return;
  }
  if (!prelude_name_(&about)) return;
  printf("0x%lx", (unsigned long)text);
  /* The kernel looks at the text before this does, and does not end for it. */
  if (prelude_access_(text, 0) < 0 && *prelude_errno_() == 14) {
    puts(" <cannot be read>");
    return;
  }
  fputs(" \"", stdout);
  while (*text && left-- > 0) prelude_character_(*text++);
  puts(*text ? "\"..." : "\"");
}

/* `kind` as gcc counts them: 1 a bit field, 5 a pointer, 9 a complex number (of doubles). The rest gdb knows. */
PRELUDE_LOCAL_ void prelude_show_other_(struct prelude_about_ about, int kind, ...) {
  va_list values;
  va_start(values, kind);
  if (kind == 5) {
    prelude_show_pointer_(about, va_arg(values, void*));
  } else if (kind == 1) {
    prelude_show_signed_(about, va_arg(values, int));
#ifndef __cplusplus
  } else if (kind == 9) {
    const double _Complex value = va_arg(values, double _Complex);
    if (prelude_name_(&about)) printf("%.17g + %.17gi\n", __real__ value, __imag__ value);
#endif
  } else if (!about.before[0] || prelude_written_() == prelude_written_before_) {
    char name[4096], command[4096];
    sprintf(name, "%s%.4000s", about.before, about.expression);
    sprintf(command, "print %.4000s", about.expression);
    if (!prelude_ask_gdb_(about.function, command, name)) printf("%s: gdb has no answer\n", about.expression);
  }
  va_end(values);
}

#ifdef __cplusplus
}
#define print(...) prelude_gdb_(__FUNCTION__, "print", #__VA_ARGS__)
#define print_last_statement(...) ((void)(__VA_ARGS__))
#else

#define PRELUDE_CALL_(about, e) \
  _Generic((e), _Bool: prelude_show_bool_, char: prelude_show_char_, signed char: prelude_show_char_, \
           unsigned char: prelude_show_char_, short: prelude_show_signed_, int: prelude_show_signed_, \
           long: prelude_show_signed_, long long: prelude_show_signed_, unsigned short: prelude_show_unsigned_, \
           unsigned: prelude_show_unsigned_, unsigned long: prelude_show_unsigned_, \
           unsigned long long: prelude_show_unsigned_, float: prelude_show_float_, double: prelude_show_double_, \
           long double: prelude_show_long_double_, char *: prelude_show_text_, const char *: prelude_show_text_, \
           default: prelude_show_pointer_)(about, e)

/* Its type, also where it is a bit field, which has none that may be named. */
#define PRELUDE_TYPE_(e) __typeof__(1 ? (e) : (e))
#define PRELUDE_IS_VOID_(e) __builtin_types_compatible_p(PRELUDE_TYPE_(e), void)
#define PRELUDE_IS_COMPLEX_(e) __builtin_types_compatible_p(PRELUDE_TYPE_(e), double _Complex)
#define PRELUDE_KIND_(e) (PRELUDE_IS_COMPLEX_(e) ? 9 : __builtin_classify_type(e) == 9 ? 0 : __builtin_classify_type(e))
#define PRELUDE_OTHER_(about, e) prelude_show_other_(about, PRELUDE_KIND_(e), e)

/* Something that can be passed on, where it has no value. */
#define PRELUDE_VALUE_(e) __builtin_choose_expr(PRELUDE_IS_VOID_(e), 0, (e))
/* Numbers and texts go their own ways, which take nothing else. */
#define PRELUDE_IS_PLAIN_(e)                                                                                          \
  _Generic((e), _Bool : 1, char : 1, signed char : 1, unsigned char : 1, short : 1, int : 1, long : 1, long long : 1, \
           unsigned short : 1, unsigned : 1, unsigned long : 1, unsigned long long : 1, float : 1, double : 1,        \
           long double : 1, char* : 1, const char* : 1, default : 0)
#define PRELUDE_PLAIN_(e) __builtin_choose_expr(PRELUDE_IS_PLAIN_(e), (e), 0)

#define PRELUDE_SHOW_(before, text, e)                                                                  \
  __extension__ __builtin_choose_expr(                                                                  \
      PRELUDE_IS_VOID_(e), (void)(e),                                                                   \
      __builtin_choose_expr(                                                                            \
          PRELUDE_IS_PLAIN_(PRELUDE_VALUE_(e)),                                                         \
          PRELUDE_CALL_(prelude_about_(before, text, __FUNCTION__), PRELUDE_PLAIN_(PRELUDE_VALUE_(e))), \
          PRELUDE_OTHER_(prelude_about_(before, text, __FUNCTION__), PRELUDE_VALUE_(e))))

#define print(...) PRELUDE_SHOW_("", #__VA_ARGS__, (__VA_ARGS__))
#define print_last_statement(...) PRELUDE_SHOW_("no output: ", #__VA_ARGS__, (__VA_ARGS__))
#endif

#define dump(...) print(__VA_ARGS__)
#define ptype(...) prelude_gdb_(__FUNCTION__, "ptype", #__VA_ARGS__)
#define whatis(...) prelude_gdb_(__FUNCTION__, "whatis", #__VA_ARGS__)
#define trace(...) prelude_cannot_("trace", #__VA_ARGS__)
#define watch(...) prelude_cannot_("watch", #__VA_ARGS__)

#endif
