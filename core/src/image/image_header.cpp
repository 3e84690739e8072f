// SPDX-License-Identifier: MIT
#include "image/image_header.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "image/image_name.h"
#include "pbotvm/error.h"
#include "pbotvm/unique_fd.h"

namespace pbotvm::image {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view qcow2_magic = "QFI\xfb";
constexpr std::size_t version_2_header = 72, version_3_header = 104;  // bytes
constexpr unsigned least_cluster_bits = 9, most_cluster_bits = 21;
constexpr std::uint32_t backing_format_extension = 0xe2792aca, bitmaps_extension = 0x23852875;
constexpr std::uint64_t corrupt_bit = 1 << 1, external_data_bit = 1 << 2, extended_l2_bit = 1 << 4;
constexpr std::size_t max_format_name = 15;  // bytes

// Formats that QEMU knows beside ours. Taken for raw they would be overwritten.
struct ForeignFormat {
  std::string_view magic, name;
};
constexpr std::array<ForeignFormat, 6> foreign_formats{{{"KDMV", "VMDK"},
                                                        {"# Disk DescriptorFile", "VMDK"},
                                                        {"vhdxfile", "VHDX"},
                                                        {"conectix", "VPC"},
                                                        {std::string_view("QED\0", 4), "QED"},
                                                        {"LUKS\xba\xbe", "LUKS"}}};

/// Big-endian fields of a header that is as long as it must be.
class Fields {
 public:
  Fields(const fs::path& file, std::string bytes) : file_(file), bytes_(std::move(bytes)) {}

  std::uint64_t number(std::size_t offset, std::size_t width) const {
    std::uint64_t value = 0;
    for (const char byte : text(offset, width)) value = value << 8 | static_cast<unsigned char>(byte);
    return value;
  }
  std::uint32_t u32(std::size_t offset) const { return static_cast<std::uint32_t>(number(offset, 4)); }
  std::uint64_t u64(std::size_t offset) const { return number(offset, 8); }

  std::string_view text(std::uint64_t offset, std::uint64_t size) const {
    if (offset > bytes_.size() || size > bytes_.size() - offset) fail("it ends too early");
    return std::string_view(bytes_).substr(offset, size);
  }

  std::size_t size() const { return bytes_.size(); }

  [[noreturn]] void fail(const std::string& why) const {
    throw Error(ErrorCode::refused, file_.string() + " has a broken qcow2 header: " + why,
                "restore it from a backup; `qemu-img check` may say more");
  }

 private:
  const fs::path& file_;
  std::string bytes_;
};

UniqueFd open_image(const fs::path& file, struct ::stat& status) {
  // Not to be held up by a named pipe, which is refused below.
  UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) throw Error(ErrorCode::unavailable, errno_text("open the image " + printable(file.string()), errno));
  if (::fstat(fd.get(), &status) != 0) throw Error(ErrorCode::unavailable, errno_text("stat " + file.string(), errno));
  if (!S_ISREG(status.st_mode))
    throw Error(ErrorCode::unavailable, printable(file.string()) + " is no file", "name the file of an image");
  return fd;
}

std::string read_beginning(int fd, const fs::path& file, std::size_t size) {
  std::string bytes(size, '\0');
  std::size_t filled = 0;
  while (filled < size) {
    const ssize_t got = ::pread(fd, bytes.data() + filled, size - filled, static_cast<off_t>(filled));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw Error(ErrorCode::unavailable, errno_text("read " + file.string(), errno));
    if (got == 0) break;
    filled += static_cast<std::size_t>(got);
  }
  bytes.resize(filled);
  return bytes;
}

void read_extensions(const Fields& fields, std::uint64_t offset, std::uint64_t end, ImageHeader& header) {
  while (offset + 8 <= end) {
    const std::uint32_t type = fields.u32(offset);
    const std::uint64_t size = fields.u32(offset + 4);
    if (type == 0) return;
    const std::string_view body = fields.text(offset + 8, size);
    if (type == backing_format_extension) {
      if (size > max_format_name) fields.fail("the format of its backing file is too long");
      header.backing_format = printable(body);
    }
    if (type == bitmaps_extension) header.bitmaps = true;
    offset += 8 + (size + 7) / 8 * 8;
  }
}

ImageHeader read_qcow2(const Fields& fields) {
  ImageHeader header;
  header.format = Format::qcow2;
  const std::uint32_t version = fields.u32(4);
  if (version != 2 && version != 3) fields.fail("version " + std::to_string(version) + " is not known");
  header.cluster_size = 1u << fields.u32(20);  // its bits were checked by the caller
  header.virtual_size = fields.u64(24);
  header.encrypted = fields.u32(32) != 0;
  header.snapshots = fields.u32(60);
  std::uint64_t extensions = version_2_header;
  if (version == 3) {
    const std::uint64_t incompatible = fields.u64(72);
    header.corrupt = (incompatible & corrupt_bit) != 0;
    header.external_data = (incompatible & external_data_bit) != 0;
    header.extended_l2 = (incompatible & extended_l2_bit) != 0;
    extensions = fields.u32(100);
    if (extensions < version_3_header) fields.fail("its length is wrong");
  }
  const std::uint64_t at = fields.u64(8), size = fields.u32(16);
  if (at != 0) {
    if (size > max_backing_name) fields.fail("the name of its backing file is too long");
    header.backing = fields.text(at, size);
    if (header.backing.find('\0') != std::string::npos) fields.fail("the name of its backing file is no text");
  }
  read_extensions(fields, extensions, at != 0 ? at : fields.size(), header);
  return header;
}

}  // namespace

std::string format_name(Format format) {
  return format == Format::qcow2 ? "qcow2" : "raw";
}

ImageHeader read_header(const fs::path& file) {
  struct ::stat status {};
  const UniqueFd fd = open_image(file, status);
  const std::string beginning = read_beginning(fd.get(), file, version_2_header);
  if (beginning.substr(0, qcow2_magic.size()) == qcow2_magic) {
    const Fields first(file, beginning);
    const std::uint32_t bits = first.u32(20);
    if (bits < least_cluster_bits || bits > most_cluster_bits) first.fail("its cluster size is wrong");
    return read_qcow2(Fields(file, read_beginning(fd.get(), file, std::size_t{1} << bits)));
  }
  for (const auto& foreign : foreign_formats)
    if (beginning.substr(0, foreign.magic.size()) == foreign.magic)
      throw Error(ErrorCode::refused,
                  file.string() + " is a " + std::string(foreign.name) + " image; layers are qcow2 on qcow2 or raw",
                  "convert it: qemu-img convert -O qcow2 " + file.string() + " NEW.qcow2");
  ImageHeader header;
  header.virtual_size = static_cast<std::uint64_t>(status.st_size);
  return header;
}

}  // namespace pbotvm::image
