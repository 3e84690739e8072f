// SPDX-License-Identifier: MIT
//
// The value of a C++ snippet's last expression, or of its variables, for programs that print nothing:
//   no output: v = {1, 2, 3} (std::vector<int>)
// Stands behind the snippet's own includes and before its main, from C++14 on, gcc and clang. Every name ends with an
// underscore: the snippet's macros stand before it.
#if !defined PBOTVM_VALUE_HPP && __cplusplus >= 201402L && (!defined __x86_64__ || defined __SSE2__) && \
    !defined _SOFT_FLOAT
#define PBOTVM_VALUE_HPP 1
#pragma GCC system_header  // `if constexpr` in C++14

#include <type_traits>
#include <utility>

#include "value.h"

#ifdef __clang__
#pragma clang attribute push(__attribute__((no_sanitize("undefined", "integer"))), apply_to = function)
#endif

namespace pbotvm_ {

constexpr int deepest_ = 6, longest_ = 100;

inline void put_(const char* text_) {
  pbotvm_put_(text_, -1);
}

// ---- what a type can do

template <class...>
struct make_void_ {
  using type = void;
};
template <class... Ts_>
using void_ = typename make_void_<Ts_...>::type;

#define PBOTVM_ABLE_(name_, expression_) \
  template <class T_, class = void>      \
  struct name_ : std::false_type {};     \
  template <class T_>                    \
  struct name_<T_, void_<decltype(expression_)>> : std::true_type {}
PBOTVM_ABLE_(is_range_, (std::declval<const T_&>().begin() != std::declval<const T_&>().end(),
                         *std::declval<const T_&>().begin()));
PBOTVM_ABLE_(is_text_, (static_cast<const char*>(std::declval<const T_&>().data()), std::declval<const T_&>().size(),
                        std::declval<const T_&>().length()));
PBOTVM_ABLE_(is_pair_, (std::declval<const T_&>().first, std::declval<const T_&>().second));
PBOTVM_ABLE_(is_optional_, (std::declval<const T_&>().has_value(), *std::declval<const T_&>()));
PBOTVM_ABLE_(is_pointer_like_, (std::declval<const T_&>().get() == nullptr, *std::declval<const T_&>()));
#ifdef _GLIBCXX_OSTREAM
PBOTVM_ABLE_(is_printable_, (std::declval<std::ostream&>() << std::declval<const T_&>()));
#else
template <class T_>
struct is_printable_ : std::false_type {};
#endif
#ifdef _GLIBCXX_SSTREAM
constexpr bool prints_ = true;
#else
constexpr bool prints_ = false;
#endif
PBOTVM_ABLE_(is_tuple_, (std::tuple_size<T_>::value));
template <class T_, class = void>
struct is_map_ : std::false_type {};
template <class T_>
struct is_map_<T_, void_<typename T_::mapped_type>> : std::true_type {};

// Such as vector<bool>, whose elements are something that turns into one.
template <class T_, class = void>
struct is_bits_ : std::false_type {};
template <class T_>
struct is_bits_<T_, void_<typename T_::value_type>> : std::is_same<typename T_::value_type, bool> {};

// The snippet's own structures, whose members the host has read: a specialization calls back for each.
template <class T_>
struct members_ {
  static constexpr bool known_ = false;
};

template <class T_>
constexpr bool can_show_() {
  using U_ = typename std::remove_cv<T_>::type;
  if constexpr (std::is_arithmetic<U_>::value || std::is_enum<U_>::value || std::is_pointer<U_>::value ||
                std::is_null_pointer<U_>::value) {
    return true;
#ifdef __SIZEOF_INT128__
  } else if constexpr (std::is_same<U_, __int128>::value || std::is_same<U_, unsigned __int128>::value) {
    return true;
#endif
  } else if constexpr (std::is_array<U_>::value) {
    return can_show_<typename std::remove_extent<U_>::type>();
  } else if constexpr (std::is_function<U_>::value) {
    return false;
  } else if constexpr (members_<U_>::known_ || is_text_<U_>::value || is_optional_<U_>::value ||
                       is_pointer_like_<U_>::value || is_pair_<U_>::value || is_tuple_<U_>::value) {
    return true;
  } else if constexpr (is_range_<U_>::value) {
    return can_show_<typename std::remove_reference<decltype(*std::declval<const U_&>().begin())>::type>();
  } else {
    return prints_ && is_printable_<U_>::value;
  }
}

// ---- values

template <class T_>
void put_value_(const T_& value_, int depth_);

inline void put_more_(int& count_) {
  if (count_++ > 0) put_(", ");
}

template <class T_>
void put_number_(T_ value_) {
  using U_ = typename std::remove_cv<T_>::type;
  if constexpr (std::is_same<U_, bool>::value) {
    put_(value_ ? "true" : "false");
  } else if constexpr (std::is_same<U_, char>::value || std::is_same<U_, signed char>::value ||
                       std::is_same<U_, unsigned char>::value) {
    ::pbotvm_char_(value_);
  } else if constexpr (std::is_same<U_, long double>::value) {
    char text_[64];
    pbotvm_format_(text_, sizeof text_, "%.18Lg", value_);
    put_(text_);
  } else if constexpr (std::is_floating_point<U_>::value) {
    pbotvm_floating_(value_, std::is_same<U_, float>::value);
  } else if constexpr (std::is_signed<U_>::value) {
    pbotvm_integer_("%lld", static_cast<unsigned long long>(static_cast<long long>(value_)));
  } else {
    pbotvm_integer_("%llu", static_cast<unsigned long long>(value_));
  }
}

#ifdef __SIZEOF_INT128__
inline void put_wide_(unsigned __int128 value_) {
  char text_[48];
  char* at_ = text_ + sizeof text_;
  *--at_ = 0;
  do *--at_ = static_cast<char>('0' + static_cast<int>(value_ % 10));
  while ((value_ /= 10) != 0);
  put_(at_);
}
#endif

template <class T_>
void put_elements_(const T_& range_, int depth_) {
  int count_ = 0;
  put_("{");
  for (auto at_ = range_.begin(); at_ != range_.end(); ++at_) {
    if (count_ == longest_) {
      put_(", ...");
      break;
    }
    put_more_(count_);
    if constexpr (is_map_<T_>::value) {
      put_("[");
      put_value_(at_->first, depth_ + 1);
      put_("] = ");
      put_value_(at_->second, depth_ + 1);
    } else {
      const auto& element_ = *at_;
      if constexpr (is_bits_<T_>::value)
        put_number_(static_cast<bool>(element_));
      else
        put_value_(element_, depth_ + 1);
    }
  }
  put_("}");
}

template <class T_, std::size_t... I_>
void put_tuple_(const T_& value_, int depth_, std::index_sequence<I_...>) {
  using std::get;
  int count_ = 0;
  put_("{");
  const int each_[] = {0, (put_more_(count_), put_value_(get<I_>(value_), depth_ + 1), 0)...};
  (void)each_;
  put_("}");
}

struct put_member_ {
  int depth_, count_;
  template <class T_>
  void operator()(const char* name_, const T_& value_) {
    put_more_(count_);
    put_(name_);
    put_(" = ");
    put_value_(value_, depth_);
  }
};

template <class T_>
void put_printed_(const T_& value_) {
#ifdef _GLIBCXX_SSTREAM
  if constexpr (is_printable_<T_>::value) {
    std::ostringstream text_;
    text_ << value_;
    put_(text_.str().c_str());
    return;
  }
#endif
  put_("...");
}

template <class T_>
void put_class_(const T_& value_, int depth_) {
  if constexpr (members_<T_>::known_ && !(prints_ && is_printable_<T_>::value)) {
    put_member_ each_{depth_ + 1, 0};
    put_("{");
    members_<T_>::each_(value_, each_);
    put_("}");
  } else if constexpr (is_text_<T_>::value) {
    pbotvm_quoted_(value_.data(), static_cast<long>(value_.size()));
  } else if constexpr (is_optional_<T_>::value) {
    if (value_.has_value())
      put_value_(*value_, depth_ + 1);
    else
      put_("nullopt");
  } else if constexpr (is_pointer_like_<T_>::value) {
    pbotvm_address_(static_cast<const volatile void*>(value_.get()));
  } else if constexpr (is_range_<T_>::value) {
    put_elements_(value_, depth_);
  } else if constexpr (is_pair_<T_>::value) {
    put_("{");
    put_value_(value_.first, depth_ + 1);
    put_(", ");
    put_value_(value_.second, depth_ + 1);
    put_("}");
  } else if constexpr (is_tuple_<T_>::value) {
    put_tuple_(value_, depth_, std::make_index_sequence<std::tuple_size<T_>::value>());
  } else {
    put_printed_(value_);
  }
}

template <class T_, std::size_t N_>
void put_array_(const T_ (&values_)[N_], int depth_) {
  if constexpr (std::is_same<typename std::remove_cv<T_>::type, char>::value) {
    std::size_t used_ = N_;
    while (used_ > 0 && values_[used_ - 1] == 0) --used_;
    pbotvm_quoted_(const_cast<const char*>(values_), static_cast<long>(used_));
  } else {
    int count_ = 0;
    put_("{");
    for (const T_& value_ : values_) {
      if (count_ == longest_) break;
      put_more_(count_);
      put_value_(value_, depth_ + 1);
    }
    put_(static_cast<int>(N_) > longest_ ? ", ...}" : "}");
  }
}

template <class T_>
void put_value_(const T_& value_, int depth_) {
  using U_ = typename std::remove_cv<T_>::type;
  if constexpr (!can_show_<U_>()) {
    put_("...");
  } else if constexpr (std::is_arithmetic<U_>::value) {
    put_number_(value_);
#ifdef __SIZEOF_INT128__
  } else if constexpr (std::is_same<U_, __int128>::value || std::is_same<U_, unsigned __int128>::value) {
    const bool negative_ = std::is_same<U_, __int128>::value && value_ < U_(0);
    if (negative_) put_("-");
    const auto positive_ = static_cast<unsigned __int128>(value_);
    put_wide_(negative_ ? -positive_ : positive_);
#endif
  } else if constexpr (std::is_enum<U_>::value) {
    put_number_(static_cast<typename std::underlying_type<U_>::type>(value_));
  } else if constexpr (std::is_null_pointer<U_>::value) {
    put_("nullptr");
  } else if constexpr (std::is_array<U_>::value) {
    put_array_(value_, depth_);
  } else if constexpr (std::is_pointer<U_>::value) {
    using Target_ = typename std::remove_cv<typename std::remove_pointer<U_>::type>::type;
    if constexpr (std::is_same<Target_, char>::value)
      pbotvm_text_(const_cast<const char*>(value_));
    else if constexpr (std::is_function<Target_>::value)
      pbotvm_address_(reinterpret_cast<const volatile void*>(value_));
    else
      pbotvm_address_(static_cast<const volatile void*>(value_));
  } else if (depth_ >= deepest_) {
    put_("...");
  } else {
    put_class_(value_, depth_);
  }
}

// ---- names of types

inline bool same_(const char* text_, const char* with_) {
  while (*with_ && *text_ == *with_) ++text_, ++with_;
  return *with_ == 0;
}

// As people write it: std::string.
inline void put_type_name_(const char* from_, const char* to_) {
  static constexpr const char* names_[][2] = {
      {"std::__cxx11::basic_string<char, std::char_traits<char>, std::allocator<char> >", "std::string"},
      {"std::__cxx11::basic_string<char>", "std::string"},
      {"std::basic_string<char>", "std::string"},
      {"std::basic_string_view<char>", "std::string_view"},
      {"__cxx11::", ""},
      {"__debug::", ""},
      {" >", ">"},
      {"long long unsigned int", "unsigned long long"},
      {"long unsigned int", "unsigned long"},
      {"short unsigned int", "unsigned short"},
      {"long long int", "long long"},
      {"long int", "long"},
      {"short int", "short"},
  };
  while (from_ < to_) {
    bool found_ = false;
    for (const auto& name_ : names_) {
      if (found_ || !same_(from_, name_[0])) continue;
      put_(name_[1]);
      for (const char* skip_ = name_[0]; *skip_; ++skip_) ++from_;
      found_ = true;
    }
    if (!found_) pbotvm_put_(from_++, 1);
  }
}

template <class T_>
void put_type_() {
  const char* from_ = __PRETTY_FUNCTION__;
  while (*from_ && !same_(from_, "T_ = ")) ++from_;
  if (!*from_) return;
  from_ += 5;
  const char* to_ = from_;
  while (*to_) ++to_;
  --to_;  // the bracket
  put_(" (");
  put_type_name_(from_, to_);
  put_(")");
}

// ---- what the host writes: `::pbotvm_::value_("x * 2"), x * 2;`. For an expression without a value that comma is
// nothing but a comma.

struct value_ {
  const char* name_;
  explicit value_(const char* name) : name_(name) {}
};

template <class T_>
void operator,(value_&& about_, const T_& value_) {
  if constexpr (can_show_<T_>()) {
#ifdef _GLIBCXX_IOSTREAM
    std::cout.flush();
    std::clog.flush();
#endif
    if (!pbotvm_name_(about_.name_)) return;
    put_value_(value_, 0);
    put_type_<typename std::remove_cv<T_>::type>();
    pbotvm_end_("");
  }
}

}  // namespace pbotvm_

#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
