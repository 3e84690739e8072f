// SPDX-License-Identifier: MIT
#include "plugin/info_check.h"

#include <cstddef>

#include "pbotvm/plugin.h"

namespace pbotvm::plugin {

namespace {

constexpr std::size_t size_of_versions = offsetof(PbotvmPluginInfo, kind);
constexpr std::size_t size_of_minor_0 = offsetof(PbotvmPluginInfo, build_signature) + sizeof(const char*);

std::string differs(const std::string& what, const std::string& expected, const std::string& found) {
  return what + ": expected " + expected + ", found " + found;
}

std::optional<std::string> unequal(const std::string& what, const std::string& expected, const char* found) {
  if (found == nullptr) return differs(what, expected, "none");
  if (expected != found) return differs(what, expected, found);
  return std::nullopt;
}

std::optional<std::string> wrong_versions(const PbotvmPluginInfo& info) {
  if (info.abi_major != PBOTVM_ABI_MAJOR)
    return differs("ABI major", std::to_string(PBOTVM_ABI_MAJOR), std::to_string(info.abi_major));
  if (info.abi_minor > PBOTVM_ABI_MINOR)
    return differs("ABI minor", std::to_string(PBOTVM_ABI_MINOR) + " or older", std::to_string(info.abi_minor));
  return std::nullopt;
}

}  // namespace

std::optional<std::string> refusal(const PbotvmPluginInfo* info, const std::string& kind, const std::string& name) {
  if (info == nullptr) return differs("plug-in information", "a structure", "a null pointer");
  if (info->size < size_of_versions)
    return differs("size of the plug-in information", "at least " + std::to_string(size_of_minor_0) + " bytes",
                   std::to_string(info->size));
  // Versions come first: behind them, another major may have laid out everything differently.
  if (auto reason = wrong_versions(*info)) return reason;
  if (info->size < size_of_minor_0)
    return differs("size of the plug-in information", "at least " + std::to_string(size_of_minor_0) + " bytes",
                   std::to_string(info->size));
  if (auto reason = unequal("build signature", build_signature(), info->build_signature)) return reason;
  if (auto reason = unequal("kind, by the file's name", kind, info->kind)) return reason;
  if (auto reason = unequal("name, by the file's name", name, info->name)) return reason;
  if (info->version == nullptr || info->sdk_version == nullptr) return differs("version", "a text", "none");
  return std::nullopt;
}

}  // namespace pbotvm::plugin
