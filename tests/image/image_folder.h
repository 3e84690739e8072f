// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace pbotvm::testing {

/// Big-endian, as qcow2 has it.
inline std::string big_endian(std::uint64_t value, int width) {
  std::string bytes;
  for (int shift = (width - 1) * 8; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  return bytes;
}

/// The first cluster of a qcow2 image of version 3, made by hand: no library of the tested code stands behind it.
struct Qcow2 {
  std::string backing = {}, backing_format = {};
  std::uint64_t size = 1 << 20;
  std::uint64_t incompatible = 0;
  std::uint32_t cluster_bits = 16, crypt = 0, snapshots = 0, length = 104;

  std::string bytes() const {
    std::string extensions;
    if (!backing_format.empty()) {
      extensions = big_endian(0xe2792aca, 4) + big_endian(backing_format.size(), 4) + backing_format;
      extensions.resize((extensions.size() + 7) / 8 * 8);
    }
    extensions += big_endian(0, 8);
    const std::size_t at = backing.empty() ? 0 : 104 + extensions.size();
    std::string header = "QFI\xfb" + big_endian(3, 4) + big_endian(at, 8) + big_endian(backing.size(), 4);
    header += big_endian(cluster_bits, 4) + big_endian(size, 8) + big_endian(crypt, 4);
    header += std::string(24, '\0') + big_endian(snapshots, 4) + std::string(8, '\0');
    header.resize(72);
    header += big_endian(incompatible, 8) + std::string(16, '\0') + big_endian(4, 4) + big_endian(length, 4);
    return header + extensions + backing;
  }
};

class ImageFolder : public ::testing::Test {
 protected:
  ImageFolder() {
    std::string name = std::filesystem::temp_directory_path() / "pbotvm-image-XXXXXX";
    if (!::mkdtemp(name.data())) throw std::runtime_error("mkdtemp failed");
    folder_ = std::filesystem::canonical(name);
  }
  ~ImageFolder() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::filesystem::path write(const std::string& name, const std::string& bytes) {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
    return folder_ / name;
  }
  std::filesystem::path write(const std::string& name, const Qcow2& image) { return write(name, image.bytes()); }

  std::filesystem::path folder_;
};

/// What the Error says that `body` throws; empty where it throws none.
template <typename Body>
std::string refusal(Body body) {
  try {
    body();
  } catch (const std::exception& error) {
    return error.what();
  }
  return {};
}

}  // namespace pbotvm::testing
