// SPDX-License-Identifier: MIT
#include "service/utf8.h"

#include <algorithm>

namespace pbotvm::service {

namespace {

// What a character's first byte says of the others: RFC 3629, section 4.
struct Form {
  std::size_t length = 0;                 // 0: no character begins so
  unsigned char low = 0x80, high = 0xBF;  // bounds of the second byte
};

Form form_of(unsigned char first) {
  if (first < 0x80) return {1};
  if (first >= 0xC2 && first <= 0xDF) return {2};
  if (first == 0xE0) return {3, 0xA0, 0xBF};
  if (first == 0xED) return {3, 0x80, 0x9F};
  if (first >= 0xE1 && first <= 0xEF) return {3};
  if (first == 0xF0) return {4, 0x90, 0xBF};
  if (first == 0xF4) return {4, 0x80, 0x8F};
  if (first >= 0xF1 && first <= 0xF3) return {4};
  return {};
}

unsigned char byte_at(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]);
}

// Whether the bytes behind the first one, as many as there are, may belong to its character.
bool goes_on(std::string_view sequence, const Form& form) {
  for (std::size_t i = 1; i < sequence.size(); ++i) {
    const auto low = i == 1 ? form.low : 0x80;
    const auto high = i == 1 ? form.high : 0xBF;
    if (byte_at(sequence, i) < low || byte_at(sequence, i) > high) return false;
  }
  return true;
}

}  // namespace

std::size_t find_invalid_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const Form form = form_of(byte_at(text, at));
    if (form.length == 0 || at + form.length > text.size()) return at;
    if (!goes_on(text.substr(at, form.length), form)) return at;
    at += form.length;
  }
  return std::string_view::npos;
}

std::size_t incomplete_utf8_tail(std::string_view bytes) {
  for (std::size_t tail = 1; tail <= std::min<std::size_t>(3, bytes.size()); ++tail) {
    const auto end = bytes.substr(bytes.size() - tail);
    const bool continues = (byte_at(end, 0) & 0xC0) == 0x80;
    if (continues) continue;
    const Form form = form_of(byte_at(end, 0));
    return form.length > tail && goes_on(end, form) ? tail : 0;
  }
  return 0;
}

}  // namespace pbotvm::service
