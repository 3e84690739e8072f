/* SPDX-License-Identifier: MIT */
/*
 * The value of a snippet's last expression, or of its variables, for programs that print nothing:
 *   no output: x * 2 = 10 (int); s = "hi" (char *)
 * Included by what the host makes of C snippets, from C89 on, gcc and clang. Names of headers that the snippet may not
 * have asked for are not declared. All names begin with pbotvm_ and end with an underscore.
 */
#ifndef PBOTVM_VALUE_H
#define PBOTVM_VALUE_H 1
#pragma GCC system_header

#define PBOTVM_LOCAL_ static __inline__ __attribute__((__unused__))
#if defined __clang__
#define PBOTVM_QUIET_ PBOTVM_LOCAL_ __attribute__((__no_sanitize__("undefined", "integer", "alignment")))
#else
#define PBOTVM_QUIET_ PBOTVM_LOCAL_ __attribute__((__no_sanitize_undefined__))
#endif

#ifdef __cplusplus
extern "C" {
#endif

extern int pbotvm_open_(const char*, int, ...) __asm__("open");
extern long pbotvm_read_(int, void*, __SIZE_TYPE__) __asm__("read");
extern long pbotvm_write_(int, const void*, __SIZE_TYPE__) __asm__("write");
extern int pbotvm_close_(int) __asm__("close");
extern int pbotvm_access_(const char*, int) __asm__("access");
extern int pbotvm_fflush_(void*) __asm__("fflush");
extern int pbotvm_format_(char*, __SIZE_TYPE__, const char*, ...) __asm__("snprintf");
extern double pbotvm_number_(const char*, char**) __asm__("strtod");
extern int* pbotvm_errno_(void) __asm__("__errno_location");
/* The beginning of glibc's FILE; the seventh pointer is that of the buffer. */
struct pbotvm_stream_ {
  int flags;
  char* pointers[7];
};
extern struct pbotvm_stream_* pbotvm_stdout_ __asm__("stdout");
extern struct pbotvm_stream_* pbotvm_stderr_ __asm__("stderr");

/* ---- has the program printed anything? */

/* Bytes that this process and the children it waited for have written so far, to whatever; -1: nobody knows. */
PBOTVM_QUIET_ long long pbotvm_written_(void) {
  static const char name[] = "wchar: ";
  char text[256];
  long long bytes = 0;
  long size, at = 0;
  int same = 0;
  const int file = pbotvm_open_("/proc/self/io", 0);
  if (file < 0) return -1;
  size = pbotvm_read_(file, text, sizeof text);
  pbotvm_close_(file);
  for (; at < size && same < 7; ++at) same = text[at] == name[same] ? same + 1 : 0;
  if (same < 7) return -1;
  for (; at < size && text[at] >= '0' && text[at] <= '9'; ++at) bytes = bytes * 10 + (text[at] - '0');
  return bytes;
}

static long long pbotvm_before_;

__attribute__((__constructor__(101))) static void pbotvm_begin_(void) {
  pbotvm_before_ = pbotvm_written_();
}

/* ---- a line of text, of bounded length */

struct pbotvm_line_ {
  int used, shown; /* bytes of text; values */
  char text[4096];
};

static struct pbotvm_line_ pbotvm_line_;

PBOTVM_QUIET_ void pbotvm_put_(const char* text, int size) {
  struct pbotvm_line_* const line = &pbotvm_line_;
  for (; size != 0 && (size > 0 || *text) && line->used < (int)sizeof line->text; --size)
    line->text[line->used++] = *text++;
}

/* A stream has a buffer from its first use on; what went past it, also from children, the kernel has counted. Looking
 * at objects with virtual functions, the sanitizer writes 16 bytes to a pipe. */
PBOTVM_QUIET_ int pbotvm_has_printed_(void) {
#ifdef __cplusplus
  const int probe = 16;
#else
  const int probe = 1 << 30;
#endif
  long long written;
  pbotvm_fflush_((void*)0);
  if (pbotvm_stdout_->pointers[6] || pbotvm_stderr_->pointers[6] || pbotvm_before_ < 0) return 1;
  written = pbotvm_written_() - pbotvm_before_;
  return written % probe != 0;
}

/* 1 when a value may follow: nothing was printed. */
PBOTVM_QUIET_ int pbotvm_name_(const char* name) {
  if (pbotvm_line_.shown == 0 && pbotvm_has_printed_()) return 0;
  pbotvm_put_(pbotvm_line_.shown++ == 0 ? "no output: " : "; ", -1);
  pbotvm_put_(name, -1);
  pbotvm_put_(" = ", -1);
  return 1;
}

PBOTVM_QUIET_ void pbotvm_end_(const char* type) {
  if (type && *type) {
    pbotvm_put_(" (", -1);
    pbotvm_put_(type, -1);
    pbotvm_put_(")", -1);
  }
  if (pbotvm_write_(1, pbotvm_line_.text, (__SIZE_TYPE__)pbotvm_line_.used) >= 0) pbotvm_line_.used = 0;
}

/* ---- values */

PBOTVM_QUIET_ void pbotvm_character_(int c, char quote) {
  char text[8];
  const char* const special = "\\\a\b\f\n\r\t\v";
  const char* const letters = "\\abfnrtv";
  int at;
  for (at = 0; special[at]; ++at)
    if (c == special[at]) break;
  if (special[at] || c == quote)
    pbotvm_format_(text, sizeof text, "\\%c", special[at] ? letters[at] : quote);
  else
    pbotvm_format_(text, sizeof text, c < 0 || (c >= 32 && c != 127) ? "%c" : "\\%03o", c);
  pbotvm_put_(text, -1);
}

/* At most `size` bytes; `size` below 0: up to the zero byte. */
PBOTVM_QUIET_ void pbotvm_quoted_(const char* text, long size) {
  const long longest = 200;
  long at;
  pbotvm_put_("\"", 1);
  for (at = 0; at < longest && at != size && (size >= 0 || text[at]); ++at) pbotvm_character_(text[at], '"');
  pbotvm_put_(at == size || (size < 0 && !text[at]) ? "\"" : "\"...", -1);
}

PBOTVM_QUIET_ void pbotvm_address_(const volatile void* address) {
  char text[32];
  pbotvm_format_(text, sizeof text, "0x%lx", (unsigned long)address);
  pbotvm_put_(text, -1);
}

PBOTVM_QUIET_ void pbotvm_text_(const char* text) {
  const int before = *pbotvm_errno_();
  /* The kernel looks at the text before this program does, and does not end for it. */
  if (!text || (pbotvm_access_(text, 0) < 0 && *pbotvm_errno_() == 14)) {
    pbotvm_address_(text);
    if (text) pbotvm_put_(" <cannot be read>", -1);
  } else {
    pbotvm_quoted_(text, -1);
  }
  *pbotvm_errno_() = before;
}

/* As few digits as tell it from its neighbours. */
PBOTVM_QUIET_ void pbotvm_floating_(double value, int single) {
  char text[40];
  int digits;
  for (digits = single ? 6 : 15; digits <= 17; ++digits) {
    double back;
    pbotvm_format_(text, sizeof text, "%.*g", digits, value);
    back = pbotvm_number_(text, (char**)0);
    if (single ? (float)back == (float)value : back == value) break;
  }
  pbotvm_put_(text, -1);
}

PBOTVM_QUIET_ void pbotvm_integer_(const char* format, unsigned long long value) {
  char text[32];
  pbotvm_format_(text, sizeof text, format, value);
  pbotvm_put_(text, -1);
}

PBOTVM_QUIET_ void pbotvm_char_(int value) {
  char text[16];
  pbotvm_format_(text, sizeof text, "%d '", value);
  pbotvm_put_(text, -1);
  pbotvm_character_(value, '\'');
  pbotvm_put_("'", 1);
}

#ifndef __cplusplus

#define PBOTVM_AT_(type) (*(const volatile type*)at)

PBOTVM_QUIET_ void pbotvm_value_of_(int kind, const volatile void* at) {
  char text[64];
  switch (kind) {
    case 0:
      pbotvm_put_("...", -1);
      return;
    case 'b':
      pbotvm_put_(PBOTVM_AT_(_Bool) ? "true" : "false", -1);
      return;
    case 'c':
      pbotvm_char_(PBOTVM_AT_(char));
      return;
    case 'a':
      pbotvm_char_(PBOTVM_AT_(signed char));
      return;
    case 'h':
      pbotvm_char_(PBOTVM_AT_(unsigned char));
      return;
    case 's':
      pbotvm_integer_("%lld", (unsigned long long)PBOTVM_AT_(short));
      return;
    case 't':
      pbotvm_integer_("%llu", PBOTVM_AT_(unsigned short));
      return;
    case 'i':
      pbotvm_integer_("%lld", (unsigned long long)PBOTVM_AT_(int));
      return;
    case 'j':
      pbotvm_integer_("%llu", PBOTVM_AT_(unsigned));
      return;
    case 'l':
      pbotvm_integer_("%lld", (unsigned long long)PBOTVM_AT_(long));
      return;
    case 'm':
      pbotvm_integer_("%llu", PBOTVM_AT_(unsigned long));
      return;
    case 'x':
      pbotvm_integer_("%lld", (unsigned long long)PBOTVM_AT_(long long));
      return;
    case 'y':
      pbotvm_integer_("%llu", PBOTVM_AT_(unsigned long long));
      return;
    case 'f':
      pbotvm_floating_(PBOTVM_AT_(float), 1);
      return;
    case 'd':
      pbotvm_floating_(PBOTVM_AT_(double), 0);
      return;
    case 'e':
      pbotvm_format_(text, sizeof text, "%.18Lg", PBOTVM_AT_(long double));
      pbotvm_put_(text, -1);
      return;
    case 'C':
      pbotvm_format_(text, sizeof text, "%g + %gi", ((const volatile double*)at)[0], ((const volatile double*)at)[1]);
      pbotvm_put_(text, -1);
      return;
    case 'S':
      pbotvm_text_(*(const char* const volatile*)at);
      return;
    default:
      pbotvm_address_(*(const void* const volatile*)at);
  }
}

PBOTVM_QUIET_ void pbotvm_show_(const char* name, const char* type, int kind, const volatile void* at) {
  if (kind == 0 || !pbotvm_name_(name)) return;
  pbotvm_value_of_(kind, at);
  pbotvm_end_(type);
}

PBOTVM_QUIET_ void pbotvm_elements_(int kind, const volatile void* at, unsigned long count, unsigned long size) {
  const unsigned long longest = 100;
  const char* const bytes = (const char*)at;
  unsigned long i;
  if (kind == 'c') {
    for (i = count; i > 0 && bytes[i - 1] == 0;) --i;
    pbotvm_quoted_(bytes, (long)i);
    return;
  }
  pbotvm_put_("{", 1);
  for (i = 0; i < count && i < longest; ++i) {
    if (i > 0) pbotvm_put_(", ", 2);
    pbotvm_value_of_(kind, bytes + i * size);
  }
  pbotvm_put_(i < count ? ", ...}" : "}", -1);
}

PBOTVM_QUIET_ void pbotvm_show_array_(const char* name, const char* type, int kind, const volatile void* at,
                                      unsigned long count, unsigned long size) {
  char text[100];
  if (kind == 0 || !pbotvm_name_(name)) return;
  pbotvm_elements_(kind, at, count, size);
  text[0] = 0;
  if (*type) pbotvm_format_(text, sizeof text, "%s[%lu]", type, count);
  pbotvm_end_(text);
}

/* Under names that no macro of the author's changes: `#define int long long` is a line that people begin with. */
typedef int pbotvm_int_;
typedef float pbotvm_float_;
typedef double pbotvm_double_;

#define PBOTVM_KIND_(v) \
  _Generic((v), _Bool : 'b', char : 'c', signed char : 'a', unsigned char : 'h', short : 's', unsigned short : 't', \
           pbotvm_int_ : 'i', unsigned : 'j', long : 'l', unsigned long : 'm', long long : 'x', unsigned long long : 'y',   \
           pbotvm_float_ : 'f', pbotvm_double_ : 'd', long double : 'e', double _Complex : 'C', char* : 'S', const char* : 'S',     \
           default : __builtin_classify_type(v) == 5 ? 'P' : 0)

/* The names of the types that have one for everybody; others have none here. */
#define PBOTVM_TYPE_(v) \
  _Generic((v), _Bool : "bool", char : "char", signed char : "signed char", unsigned char : "unsigned char",          \
           short : "short", unsigned short : "unsigned short", pbotvm_int_ : "int", unsigned : "unsigned int", long : "long", \
           unsigned long : "unsigned long", long long : "long long", unsigned long long : "unsigned long long",       \
           pbotvm_float_ : "float", pbotvm_double_ : "double", long double : "long double", double _Complex : "complex double",       \
           char* : "char *", const char* : "const char *", void* : "void *", const void* : "const void *",            \
           pbotvm_int_* : "int *", const pbotvm_int_* : "const int *", unsigned* : "unsigned int *", long* : "long *",                \
           unsigned long* : "unsigned long *", pbotvm_float_* : "float *", pbotvm_double_* : "double *",                              \
           unsigned char* : "unsigned char *", char** : "char **", pbotvm_int_** : "int **", default : "")

#define PBOTVM_SHOW_(name, v) \
  __extension__(pbotvm_show_(name, PBOTVM_TYPE_(v), PBOTVM_KIND_(v), (const volatile void*)&(v)))
#define PBOTVM_SHOW_ARRAY_(name, v)                                                                              \
  __extension__(pbotvm_show_array_(name, PBOTVM_TYPE_((v)[0]), PBOTVM_KIND_((v)[0]), (const volatile void*)&(v), \
                                   sizeof(v) / sizeof((v)[0]), sizeof((v)[0])))

/* Of a structure. */
#define PBOTVM_MEMBER_(name, v) \
  __extension__(pbotvm_put_(name, -1), pbotvm_value_of_(PBOTVM_KIND_(v), (const volatile void*)&(v)))
#define PBOTVM_ELEMENTS_(name, v)                                                                        \
  __extension__(pbotvm_put_(name, -1), pbotvm_elements_(PBOTVM_KIND_((v)[0]), (const volatile void*)(v), \
                                                        sizeof(v) / sizeof((v)[0]), sizeof((v)[0])))

/* Of an expression that has had its type called pbotvm_type_: what holds its value; something where it has none. */
#define PBOTVM_IS_VOID_ __builtin_types_compatible_p(pbotvm_type_, void)
#define PBOTVM_HOLDER_ \
  __extension__ __typeof__(*__builtin_choose_expr(PBOTVM_IS_VOID_, (int*)0, (pbotvm_type_*)0)) pbotvm_value_
#define PBOTVM_SHOW_VALUE_(name) \
  if (!PBOTVM_IS_VOID_) PBOTVM_SHOW_(name, pbotvm_value_)

#endif

#ifdef __cplusplus
}
#endif
#endif
