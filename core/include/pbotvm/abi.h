// SPDX-License-Identifier: MIT
#pragma once

// The binary contract between a host and its plug-ins. Every public type lives in the inline namespace below, so that a
// plug-in built for another major version carries other type names, and the host can tell before it calls anything.

#include <cstdint>

#define PBOTVM_VERSION "0.1.0"
#define PBOTVM_ABI_MAJOR 1
#define PBOTVM_ABI_MINOR 1

#define PBOTVM_BEGIN_NAMESPACE \
  namespace pbotvm {           \
  inline namespace abi_v1 {
#define PBOTVM_END_NAMESPACE \
  }                          \
  }

#define PBOTVM_EXPORT __attribute__((visibility("default")))

extern "C" {
/// What a plug-in says of itself before any of its code but this one function runs. All strings are owned by the
/// plug-in and live as long as it is loaded. Fields are only ever added at the end; `size` tells which are there.
struct PbotvmPluginInfo {
  std::uint32_t size;           ///< sizeof(PbotvmPluginInfo) as the plug-in saw it, bytes
  std::uint16_t abi_major;      ///< must equal the host's
  std::uint16_t abi_minor;      ///< must not be newer than the host's
  const char* kind;             ///< "transport", "language" or "hypervisor"
  const char* name;             ///< unique among its kind, [a-z0-9-]+
  const char* version;          ///< the plug-in's own version
  const char* sdk_version;      ///< PBOTVM_VERSION of the headers it was compiled against
  const char* build_signature;  ///< build_signature() of its compiler, see plugin.h
};
}
