/* SPDX-License-Identifier: MIT */
/*
 * printf("%b") in binary; %#b in whole groups of four digits, with ' dots between them: as PBot has it, whose %#b the C
 * library of today would print in another way. From C89 on, and in C++.
 */
#ifndef PBOTVM_BINARY_H
#define PBOTVM_BINARY_H 1
#pragma GCC system_header

#include <limits.h>
#include <locale.h>
#include <printf.h>
#include <stdio.h>

#if defined __clang__
#define PBOTVM_BINARY_LOCAL_ \
  static __inline__ __attribute__((__unused__, __no_sanitize__("undefined", "integer", "alignment")))
#else
#define PBOTVM_BINARY_LOCAL_ static __inline__ __attribute__((__unused__, __no_sanitize_undefined__))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What separates groups of digits, and how many digits are in one; 0: they are not separated. */
PBOTVM_BINARY_LOCAL_ int pbotvm_grouping_(const struct printf_info* info, const char** separator) {
  const struct lconv* local;
  *separator = ".";
  if (!info->group) return 0;
  if (info->alt) return 4;
  local = localeconv();
  *separator = local->thousands_sep;
  return local->grouping[0] > 0 && local->grouping[0] < CHAR_MAX ? local->grouping[0] : 0;
}

PBOTVM_BINARY_LOCAL_ unsigned long long pbotvm_argument_(const struct printf_info* info, const void* argument) {
  if (info->is_long_double) return *(const unsigned long long*)argument;
  if (info->is_long) return *(const unsigned long*)argument;
  if (info->is_char) return *(const unsigned char*)argument;
  if (info->is_short) return *(const unsigned short*)argument;
  return *(const unsigned int*)argument;
}

PBOTVM_BINARY_LOCAL_ int pbotvm_print_binary_(FILE* stream, const struct printf_info* info,
                                              const void* const* arguments) {
  const unsigned long long value = pbotvm_argument_(info, arguments[0]);
  const int bits = (int)sizeof value * CHAR_BIT;
  const char* separator;
  const int group = pbotvm_grouping_(info, &separator);
  int used = 0, digits = info->prec < 0 ? 1 : info->prec, width, at;
  while (used < bits && value >> used != 0) ++used;
  if (digits < used) digits = used;
  if (info->alt) digits += -digits & 3;
  width = digits + (group && digits ? (digits - 1) / group : 0);
  if (!info->left)
    for (at = width; at < info->width; ++at) fputc((int)info->pad, stream);
  for (at = digits - 1; at >= 0; --at) {
    fputc(at < bits && (value >> at & 1) ? '1' : '0', stream);
    if (group && at > 0 && at % group == 0) fputs(separator, stream);
  }
  if (info->left)
    for (at = width; at < info->width; ++at) fputc(' ', stream);
  return width > info->width ? width : info->width;
}

PBOTVM_BINARY_LOCAL_ int pbotvm_binary_argument_(const struct printf_info* info, size_t count, int* types, int* sizes) {
  (void)sizes;
  if (count < 1) return -1;
  types[0] = PA_INT;
  if (info->is_char) types[0] = PA_CHAR;
  if (info->is_short) types[0] |= PA_FLAG_SHORT;
  if (info->is_long) types[0] |= PA_FLAG_LONG;
  if (info->is_long_double) types[0] = PA_INT | PA_FLAG_LONG_LONG;
  return 1;
}

__attribute__((__constructor__)) static void pbotvm_begin_binary_(void) {
  register_printf_specifier('b', pbotvm_print_binary_, pbotvm_binary_argument_);
}

#ifdef __cplusplus
}
#endif
#endif
