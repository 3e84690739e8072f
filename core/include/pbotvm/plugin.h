// SPDX-License-Identifier: MIT
#pragma once

// Included by exactly one source file of a plug-in, which ends with
//
//   PBOTVM_PLUGIN("transport", "serial", "1.0", pbotvm::TransportFactory, SerialFactory)

#include <Poco/ClassLibrary.h>
#include <Poco/Version.h>

#include <string>

#include "pbotvm/abi.h"

#define PBOTVM_STRINGIFY_(x) #x
#define PBOTVM_STRINGIFY(x) PBOTVM_STRINGIFY_(x)

// What must match between two C++ objects that throw, share strings and read a Poco manifest together: the standard
// library, its string ABI, and Poco's major.minor (a plug-in built on another Poco has other layouts).
#if defined(_LIBCPP_VERSION)
#define PBOTVM_STDLIB "libc++;abi=" PBOTVM_STRINGIFY(_LIBCPP_ABI_VERSION)
#else
#define PBOTVM_STDLIB "libstdc++;cxx11=" PBOTVM_STRINGIFY(_GLIBCXX_USE_CXX11_ABI)
#endif

PBOTVM_BEGIN_NAMESPACE
/// Of the translation unit that asks; "libstdc++;cxx11=1;poco=1.11". Hidden: a plug-in built with default visibility
/// would otherwise share the text of whichever plug-in was loaded first.
__attribute__((visibility("hidden"))) inline const char* build_signature() {
  static const std::string text = std::string(PBOTVM_STDLIB) + ";poco=" + std::to_string((POCO_VERSION >> 24) & 0xff) +
                                  "." + std::to_string((POCO_VERSION >> 16) & 0xff);
  return text.c_str();
}
PBOTVM_END_NAMESPACE

#define PBOTVM_PLUGIN(kind, name, version, base, factory)                                            \
  extern "C" PBOTVM_EXPORT const PbotvmPluginInfo* pbotvm_plugin_info() {                            \
    static const PbotvmPluginInfo info = {                                                           \
        sizeof(PbotvmPluginInfo), PBOTVM_ABI_MAJOR,           PBOTVM_ABI_MINOR, kind, name, version, \
        PBOTVM_VERSION,           ::pbotvm::build_signature()};                                      \
    return &info;                                                                                    \
  }                                                                                                  \
  POCO_BEGIN_MANIFEST(base)                                                                          \
  POCO_EXPORT_CLASS(factory)                                                                         \
  POCO_END_MANIFEST
