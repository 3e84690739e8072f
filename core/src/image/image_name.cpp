// SPDX-License-Identifier: MIT
#include "image/image_name.h"

#include <algorithm>
#include <system_error>

#include "pbotvm/error.h"

namespace pbotvm::image {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t max_name = 4095;  // bytes, PATH_MAX
constexpr std::string_view file_protocol = "file:/";

bool is_control(unsigned char c) {
  return c < 0x20 || c == 0x7f;
}

fs::path resolved(const fs::path& path) {
  std::error_code error;
  fs::path result = fs::weakly_canonical(path, error);
  if (error) throw Error(ErrorCode::unavailable, "resolve " + printable(path.string()) + ": " + error.message());
  return result;
}

// Whether `inner` is `outer` or lies in it. Everything lies in the root, which is no tree that is moved as a whole.
bool within(const fs::path& inner, const fs::path& outer) {
  if (outer == outer.root_path()) return false;
  return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

}  // namespace

bool has_protocol(std::string_view name) {
  const auto at = name.find_first_of(":/");
  return at != std::string_view::npos && name[at] == ':';
}

std::string printable(std::string_view text) {
  std::string result(text);
  std::replace_if(result.begin(), result.end(), is_control, '?');
  return result;
}

fs::path local_file(const std::string& name) {
  const std::string shown = "'" + printable(name.substr(0, 255)) + "'";
  if (name.empty()) throw Error(ErrorCode::configuration, "the name of an image is empty");
  if (name.size() > max_name) throw Error(ErrorCode::configuration, "the name " + shown + "... is too long");
  if (std::any_of(name.begin(), name.end(), is_control))
    throw Error(ErrorCode::configuration, "the name " + shown + " has control characters", "rename the file");
  if (name.front() == '-')
    throw Error(ErrorCode::configuration, shown + " is no option, and no name of an image", "write './" + name + "'");
  if (has_protocol(name))
    throw Error(ErrorCode::configuration, shown + " looks like one of QEMU's protocols; images are local files here",
                "write './" + name + "' for a file of that name");
  return resolved(fs::absolute(name));
}

fs::path backing_path(const fs::path& overlay, const std::string& recorded) {
  fs::path path = recorded;
  if (std::string_view(recorded).substr(0, file_protocol.size()) == file_protocol) {
    path = recorded.substr(file_protocol.size() - 1);
  } else if (has_protocol(recorded)) {
    throw Error(ErrorCode::refused,
                overlay.string() + " lies on '" + printable(recorded) + "', which is no local file; it is not opened",
                "if you trust the image, name its local base with `pbotvm image rebase --unsafe`");
  }
  return resolved(overlay.parent_path() / path);
}

std::string backing_text(const fs::path& overlay, const fs::path& base) {
  const fs::path above = overlay.parent_path(), below = base.parent_path();
  std::string text = base.string();
  if (within(above, below) || within(below, above)) {
    text = base.lexically_relative(above).string();
    if (has_protocol(text)) text = "./" + text;
  }
  if (text.size() > max_backing_name)
    throw Error(ErrorCode::configuration,
                "the path of " + base.string() + " is longer than the " + std::to_string(max_backing_name) +
                    " bytes that an overlay can record",
                "move the files to a shorter path");
  return text;
}

}  // namespace pbotvm::image
