// SPDX-License-Identifier: MIT
#pragma once

// Loads a plug-in file the way a host does and hands out its factory, so that a test sees what a host would see.

#include <Poco/Manifest.h>
#include <Poco/SharedLibrary.h>

#include <memory>
#include <stdexcept>
#include <string>

namespace pbotvm::testing {

/// A factory from the file `path`. The file stays loaded until the process ends.
template <typename Factory>
std::unique_ptr<Factory> load_factory(const std::string& path) {
  Poco::SharedLibrary library(path, Poco::SharedLibrary::SHLIB_LOCAL);  // its end does not unload the file
  using Build = bool (*)(Poco::ManifestBase*);
  const auto build = reinterpret_cast<Build>(library.getSymbol("pocoBuildManifest"));
  Poco::Manifest<Factory> manifest;
  if (!build(&manifest) || manifest.size() != 1) throw std::runtime_error(path + ": not one factory of this kind");
  return std::unique_ptr<Factory>(manifest.begin()->create());
}

}  // namespace pbotvm::testing
