/* SPDX-License-Identifier: MIT */
/*
 * The value of a snippet's last expression, or of its variables, for programs that print nothing:
 *   no output: x * 2 = 10 (int); s = "hi" (char *)
 * Included by what the host makes of C snippets, from C89 on, gcc and clang; empty where numbers with a point cannot be
 * passed on, as with -mno-sse. Names of headers that the snippet may not have asked for are not declared. All names end
 * with an underscore: the macros of the snippet and of its options are not to meet them.
 */
#if !defined PBOTVM_VALUE_H && (!defined __x86_64__ || defined __SSE2__) && !defined _SOFT_FLOAT
#define PBOTVM_VALUE_H 1
#pragma GCC system_header

#if defined __clang__
#define PBOTVM_QUIET_ static __inline__ __attribute__((__no_sanitize__("undefined", "integer", "alignment")))
#else
#define PBOTVM_QUIET_ static __inline__ __attribute__((__unused__, __no_sanitize_undefined__))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Whatever the author's options make of __SIZE_TYPE__. */
typedef __typeof__(sizeof(0)) pbotvm_size_;

extern int pbotvm_open_(const char*, int, ...) __asm__("open");
extern long pbotvm_read_(int, void*, pbotvm_size_) __asm__("read");
extern long pbotvm_write_(int, const void*, pbotvm_size_) __asm__("write");
extern int pbotvm_close_(int) __asm__("close");
extern int pbotvm_access_(const char*, int) __asm__("access");
extern int pbotvm_fflush_(void*) __asm__("fflush");
extern int pbotvm_format_(char*, pbotvm_size_, const char*, ...) __asm__("snprintf");
extern double pbotvm_number_(const char*, char**) __asm__("strtod");
extern int* pbotvm_errno_(void) __asm__("__errno_location");
/* The beginning of glibc's FILE; the seventh pointer is that of the buffer. */
struct pbotvm_stream_ {
  int flags_;
  char* pointers_[7];
};
extern struct pbotvm_stream_* pbotvm_stdout_ __asm__("stdout");
extern struct pbotvm_stream_* pbotvm_stderr_ __asm__("stderr");

/* ---- has the program printed anything? */

/* Bytes that this process and the children it waited for have written so far, to whatever; -1: nobody knows. */
PBOTVM_QUIET_ long long pbotvm_written_(void) {
  static const char name_[] = "wchar: ";
  char text_[256];
  long long bytes_ = 0;
  long size_, at_ = 0;
  int same_ = 0;
  const int file_ = pbotvm_open_("/proc/self/io", 0);
  if (file_ < 0) return -1;
  size_ = pbotvm_read_(file_, text_, sizeof text_);
  pbotvm_close_(file_);
  for (; at_ < size_ && same_ < 7; ++at_) same_ = text_[at_] == name_[same_] ? same_ + 1 : 0;
  if (same_ < 7) return -1;
  for (; at_ < size_ && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) bytes_ = bytes_ * 10 + (text_[at_] - '0');
  return bytes_;
}

static long long pbotvm_before_;

__attribute__((__constructor__(101))) static void pbotvm_begin_(void) {
  pbotvm_before_ = pbotvm_written_();
}

/* ---- a line of text, of bounded length */

struct pbotvm_line_ {
  int used_, shown_; /* bytes of text; values */
  char text_[4096];
};

static struct pbotvm_line_ pbotvm_line_;

PBOTVM_QUIET_ void pbotvm_put_(const char* text_, int size_) {
  struct pbotvm_line_* const line_ = &pbotvm_line_;
  for (; size_ != 0 && (size_ > 0 || *text_) && line_->used_ < (int)sizeof line_->text_; --size_)
    line_->text_[line_->used_++] = *text_++;
}

/* A stream has a buffer from its first use on; what went past it, also from children, the kernel has counted. Looking
 * at objects with virtual functions, the sanitizer writes 16 bytes to a pipe. */
PBOTVM_QUIET_ int pbotvm_has_printed_(void) {
#ifdef __cplusplus
  const int probe_ = 16;
#else
  const int probe_ = 1 << 30;
#endif
  long long written_;
  pbotvm_fflush_((void*)0);
  if (pbotvm_stdout_->pointers_[6] || pbotvm_stderr_->pointers_[6] || pbotvm_before_ < 0) return 1;
  written_ = pbotvm_written_() - pbotvm_before_;
  return written_ % probe_ != 0;
}

/* 1 when a value may follow: nothing was printed. */
PBOTVM_QUIET_ int pbotvm_name_(const char* name_) {
  if (pbotvm_line_.shown_ == 0 && pbotvm_has_printed_()) return 0;
  pbotvm_put_(pbotvm_line_.shown_++ == 0 ? "no output: " : "; ", -1);
  pbotvm_put_(name_, -1);
  pbotvm_put_(" = ", -1);
  return 1;
}

PBOTVM_QUIET_ void pbotvm_end_(const char* type_) {
  if (type_ && *type_) {
    pbotvm_put_(" (", -1);
    pbotvm_put_(type_, -1);
    pbotvm_put_(")", -1);
  }
  if (pbotvm_write_(1, pbotvm_line_.text_, (pbotvm_size_)pbotvm_line_.used_) >= 0) pbotvm_line_.used_ = 0;
}

/* ---- values */

PBOTVM_QUIET_ void pbotvm_character_(int c_, char quote_) {
  char text_[8];
  const char* const special_ = "\\\a\b\f\n\r\t\v";
  const char* const letters_ = "\\abfnrtv";
  int at_;
  for (at_ = 0; special_[at_]; ++at_)
    if (c_ == special_[at_]) break;
  if (special_[at_] || c_ == quote_)
    pbotvm_format_(text_, sizeof text_, "\\%c", special_[at_] ? letters_[at_] : quote_);
  else
    pbotvm_format_(text_, sizeof text_, c_ < 0 || (c_ >= 32 && c_ != 127) ? "%c" : "\\%03o", c_);
  pbotvm_put_(text_, -1);
}

/* At most `size` bytes; `size` below 0: up to the zero byte. */
PBOTVM_QUIET_ void pbotvm_quoted_(const char* text_, long size_) {
  const long longest_ = 200;
  long at_;
  pbotvm_put_("\"", 1);
  for (at_ = 0; at_ < longest_ && at_ != size_ && (size_ >= 0 || text_[at_]); ++at_) pbotvm_character_(text_[at_], '"');
  pbotvm_put_(at_ == size_ || (size_ < 0 && !text_[at_]) ? "\"" : "\"...", -1);
}

PBOTVM_QUIET_ void pbotvm_address_(const volatile void* address_) {
  char text_[32];
  pbotvm_format_(text_, sizeof text_, "0x%lx", (unsigned long)address_);
  pbotvm_put_(text_, -1);
}

PBOTVM_QUIET_ void pbotvm_text_(const char* text_) {
  const int before_ = *pbotvm_errno_();
  /* The kernel looks at the text before this program does, and does not end for it. */
  if (!text_ || (pbotvm_access_(text_, 0) < 0 && *pbotvm_errno_() == 14)) {
    pbotvm_address_(text_);
    if (text_) pbotvm_put_(" <cannot be read>", -1);
  } else {
    pbotvm_quoted_(text_, -1);
  }
  *pbotvm_errno_() = before_;
}

/* As few digits as tell it from its neighbours. */
PBOTVM_QUIET_ void pbotvm_floating_(double value_, int single_) {
  char text_[40];
  int digits_;
  for (digits_ = single_ ? 6 : 15; digits_ <= 17; ++digits_) {
    double back_;
    pbotvm_format_(text_, sizeof text_, "%.*g", digits_, value_);
    back_ = pbotvm_number_(text_, (char**)0);
    if (single_ ? (float)back_ == (float)value_ : back_ == value_) break;
  }
  pbotvm_put_(text_, -1);
}

PBOTVM_QUIET_ void pbotvm_integer_(const char* format_, unsigned long long value_) {
  char text_[32];
  pbotvm_format_(text_, sizeof text_, format_, value_);
  pbotvm_put_(text_, -1);
}

PBOTVM_QUIET_ void pbotvm_char_(int value_) {
  char text_[16];
  pbotvm_format_(text_, sizeof text_, "%d '", value_);
  pbotvm_put_(text_, -1);
  pbotvm_character_(value_, '\'');
  pbotvm_put_("'", 1);
}

#ifndef __cplusplus

#define PBOTVM_AT_(type_) (*(const volatile type_*)at_)

PBOTVM_QUIET_ void pbotvm_value_of_(int kind_, const volatile void* at_) {
  char text_[64];
  switch (kind_) {
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
      pbotvm_format_(text_, sizeof text_, "%.18Lg", PBOTVM_AT_(long double));
      pbotvm_put_(text_, -1);
      return;
    case 'C':
      pbotvm_format_(text_, sizeof text_, "%g + %gi", ((const volatile double*)at_)[0],
                     ((const volatile double*)at_)[1]);
      pbotvm_put_(text_, -1);
      return;
    case 'S':
      pbotvm_text_(*(const char* const volatile*)at_);
      return;
    default:
      pbotvm_address_(*(const void* const volatile*)at_);
  }
}

PBOTVM_QUIET_ void pbotvm_show_(const char* name_, const char* type_, int kind_, const volatile void* at_) {
  if (kind_ == 0 || !pbotvm_name_(name_)) return;
  pbotvm_value_of_(kind_, at_);
  pbotvm_end_(type_);
}

PBOTVM_QUIET_ void pbotvm_elements_(int kind_, const volatile void* at_, unsigned long count_, unsigned long size_) {
  const unsigned long longest_ = 100;
  const char* const bytes_ = (const char*)at_;
  unsigned long i_;
  if (kind_ == 'c') {
    for (i_ = count_; i_ > 0 && bytes_[i_ - 1] == 0;) --i_;
    pbotvm_quoted_(bytes_, (long)i_);
    return;
  }
  pbotvm_put_("{", 1);
  for (i_ = 0; i_ < count_ && i_ < longest_; ++i_) {
    if (i_ > 0) pbotvm_put_(", ", 2);
    pbotvm_value_of_(kind_, bytes_ + i_ * size_);
  }
  pbotvm_put_(i_ < count_ ? ", ...}" : "}", -1);
}

PBOTVM_QUIET_ void pbotvm_show_array_(const char* name_, const char* type_, int kind_, const volatile void* at_,
                                      unsigned long count_, unsigned long size_) {
  char text_[100];
  if (kind_ == 0 || !pbotvm_name_(name_)) return;
  pbotvm_elements_(kind_, at_, count_, size_);
  text_[0] = 0;
  if (*type_) pbotvm_format_(text_, sizeof text_, "%s[%lu]", type_, count_);
  pbotvm_end_(text_);
}

/* Under names that no macro of the author's changes: `#define int long long` is a line that people begin with. */
typedef int pbotvm_int_;
typedef float pbotvm_float_;
typedef double pbotvm_double_;

#define PBOTVM_KIND_(v_) \
  _Generic((v_), _Bool : 'b', char : 'c', signed char : 'a', unsigned char : 'h', short : 's',                    \
           unsigned short : 't', pbotvm_int_ : 'i', unsigned : 'j', long : 'l', unsigned long : 'm',              \
           long long : 'x', unsigned long long : 'y', pbotvm_float_ : 'f', pbotvm_double_ : 'd',                  \
           long double : 'e', double _Complex : 'C', char* : 'S', const char* : 'S',                              \
           default : __builtin_classify_type(v_) == 5 ? 'P' : 0)

/* The names of the types that have one for everybody; others have none here. */
#define PBOTVM_TYPE_(v_) \
  _Generic((v_), _Bool : "bool", char : "char", signed char : "signed char", unsigned char : "unsigned char",     \
           short : "short", unsigned short : "unsigned short", pbotvm_int_ : "int", unsigned : "unsigned int",    \
           long : "long", unsigned long : "unsigned long", long long : "long long",                               \
           unsigned long long : "unsigned long long", pbotvm_float_ : "float", pbotvm_double_ : "double",         \
           long double : "long double", double _Complex : "complex double", char* : "char *",                     \
           const char* : "const char *", void* : "void *", const void* : "const void *",                          \
           pbotvm_int_* : "int *", const pbotvm_int_* : "const int *", unsigned* : "unsigned int *",              \
           long* : "long *", unsigned long* : "unsigned long *", pbotvm_float_* : "float *",                      \
           pbotvm_double_* : "double *", unsigned char* : "unsigned char *", char** : "char **",                  \
           pbotvm_int_** : "int **", default : "")

#define PBOTVM_SHOW_(name_, v_) \
  __extension__(pbotvm_show_(name_, PBOTVM_TYPE_(v_), PBOTVM_KIND_(v_), (const volatile void*)&(v_)))
#define PBOTVM_SHOW_ARRAY_(name_, v_)                                                                                \
  __extension__(pbotvm_show_array_(name_, PBOTVM_TYPE_((v_)[0]), PBOTVM_KIND_((v_)[0]), (const volatile void*)&(v_), \
                                   sizeof(v_) / sizeof((v_)[0]), sizeof((v_)[0])))

/* Of a structure. */
#define PBOTVM_MEMBER_(name_, v_) \
  __extension__(pbotvm_put_(name_, -1), pbotvm_value_of_(PBOTVM_KIND_(v_), (const volatile void*)&(v_)))
#define PBOTVM_ELEMENTS_(name_, v_)                                                                         \
  __extension__(pbotvm_put_(name_, -1), pbotvm_elements_(PBOTVM_KIND_((v_)[0]), (const volatile void*)(v_), \
                                                         sizeof(v_) / sizeof((v_)[0]), sizeof((v_)[0])))

/* Whether a name is that of an array, which as an expression would be a pointer, rather than of a function; and the
 * array then, of whatever has a kind of its own, else none. */
static const pbotvm_int_ pbotvm_no_array_[1];
#define PBOTVM_POINTED_(v_) __builtin_choose_expr(__builtin_classify_type(v_) == 5, (v_), (char*)0)
#define PBOTVM_IS_ARRAY_(v_)                                                     \
  (!__builtin_types_compatible_p(__typeof__(v_), __typeof__(((void)0, (v_)))) && \
   !__builtin_types_compatible_p(__typeof__(v_), __typeof__(*PBOTVM_POINTED_(v_))))
#define PBOTVM_ARRAY_(v_) __builtin_choose_expr(PBOTVM_IS_ARRAY_(v_), (v_), pbotvm_no_array_)
#define PBOTVM_IS_ROW_(v_) (PBOTVM_IS_ARRAY_(v_) && !PBOTVM_IS_ARRAY_(PBOTVM_ARRAY_(v_)[0]))
#define PBOTVM_SHOW_ROW_(name_, v_) PBOTVM_SHOW_ARRAY_(name_, PBOTVM_ARRAY_(v_))

/* Of an expression that has had its type called pbotvm_type_: what holds its value; something where it has none. */
#define PBOTVM_IS_VOID_ __builtin_types_compatible_p(pbotvm_type_, void)
#define PBOTVM_HOLDER_ \
  __extension__ __typeof__(*__builtin_choose_expr(PBOTVM_IS_VOID_, (int*)0, (pbotvm_type_*)0)) pbotvm_value_
#define PBOTVM_SHOW_VALUE_(name_) \
  if (!PBOTVM_IS_VOID_) PBOTVM_SHOW_(name_, pbotvm_value_)

#endif

#ifdef __cplusplus
}
#endif
#endif
