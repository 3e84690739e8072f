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
PBOTVM_BINARY_LOCAL_ int pbotvm_grouping_(const struct printf_info* info_, const char** separator_) {
  const struct lconv* local_;
  *separator_ = ".";
  if (!info_->group) return 0;
  if (info_->alt) return 4;
  local_ = localeconv();
  *separator_ = local_->thousands_sep;
  return local_->grouping[0] > 0 && local_->grouping[0] < CHAR_MAX ? local_->grouping[0] : 0;
}

PBOTVM_BINARY_LOCAL_ unsigned long long pbotvm_argument_(const struct printf_info* info_, const void* argument_) {
  if (info_->is_long_double) return *(const unsigned long long*)argument_;
  if (info_->is_long) return *(const unsigned long*)argument_;
  if (info_->is_char) return *(const unsigned char*)argument_;
  if (info_->is_short) return *(const unsigned short*)argument_;
  return *(const unsigned int*)argument_;
}

PBOTVM_BINARY_LOCAL_ int pbotvm_print_binary_(FILE* stream_, const struct printf_info* info_,
                                              const void* const* arguments_) {
  const unsigned long long value_ = pbotvm_argument_(info_, arguments_[0]);
  const int bits_ = (int)sizeof value_ * CHAR_BIT;
  const char* separator_;
  const int group_ = pbotvm_grouping_(info_, &separator_);
  int used_ = 0, digits_ = info_->prec < 0 ? 1 : info_->prec, width_, at_;
  while (used_ < bits_ && value_ >> used_ != 0) ++used_;
  if (digits_ < used_) digits_ = used_;
  if (info_->alt) digits_ += -digits_ & 3;
  width_ = digits_ + (group_ && digits_ ? (digits_ - 1) / group_ : 0);
  if (!info_->left)
    for (at_ = width_; at_ < info_->width; ++at_) fputc((int)info_->pad, stream_);
  for (at_ = digits_ - 1; at_ >= 0; --at_) {
    fputc(at_ < bits_ && (value_ >> at_ & 1) ? '1' : '0', stream_);
    if (group_ && at_ > 0 && at_ % group_ == 0) fputs(separator_, stream_);
  }
  if (info_->left)
    for (at_ = width_; at_ < info_->width; ++at_) fputc(' ', stream_);
  return width_ > info_->width ? width_ : info_->width;
}

PBOTVM_BINARY_LOCAL_ int pbotvm_binary_argument_(const struct printf_info* info_, size_t count_, int* types_,
                                                 int* sizes_) {
  (void)sizes_;
  if (count_ < 1) return -1;
  types_[0] = PA_INT;
  if (info_->is_char) types_[0] = PA_CHAR;
  if (info_->is_short) types_[0] |= PA_FLAG_SHORT;
  if (info_->is_long) types_[0] |= PA_FLAG_LONG;
  if (info_->is_long_double) types_[0] = PA_INT | PA_FLAG_LONG_LONG;
  return 1;
}

__attribute__((__constructor__)) static void pbotvm_begin_binary_(void) {
  register_printf_specifier('b', pbotvm_print_binary_, pbotvm_binary_argument_);
}

#ifdef __cplusplus
}
#endif
#endif
