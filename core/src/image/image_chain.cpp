// SPDX-License-Identifier: MIT
#include "image/image_chain.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <system_error>

#include "image/image_name.h"
#include "pbotvm/error.h"

namespace pbotvm::image {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t max_searched = 20'000;  // directory entries
constexpr int searched_depth = 1;             // directories within the directory
constexpr std::uint64_t disk_block = 512;     // bytes, what st_blocks counts

Layer read_layer(const fs::path& file) {
  struct ::stat status {};
  Layer layer{file, read_header(file), 0};
  if (::stat(file.c_str(), &status) == 0) layer.disk_size = static_cast<std::uint64_t>(status.st_blocks) * disk_block;
  return layer;
}

// What QEMU would take the layer below for is what its overlay records; where that is nothing, it would guess.
void check_format(const Layer& above, const Layer& below) {
  const std::string& recorded = above.header.backing_format;
  if (recorded.empty() || recorded == format_name(below.header.format)) return;
  // A raw disk whose machine wrote a qcow2 header to it is raw as long as its overlay says so.
  if (recorded == "raw") return;
  throw Error(ErrorCode::refused,
              above.file.string() + " takes " + below.file.string() + " for " + recorded + ", but it is " +
                  format_name(below.header.format),
              "give it the right base with `pbotvm image rebase --unsafe`");
}

Layer read_below(const Layer& above) {
  const fs::path file = backing_path(above.file, above.header.backing);
  if (!fs::exists(file))
    throw Error(
        ErrorCode::unavailable, above.file.string() + " lies on " + printable(file.string()) + ", which does not exist",
        "put it back, or name its new place: pbotvm image rebase --unsafe " + above.file.string() + " NEW_BASE");
  Layer below = read_layer(file);
  check_format(above, below);
  if (above.header.backing_format == "raw" && below.header.format != Format::raw) {
    below.header = ImageHeader{};
    below.header.virtual_size = fs::file_size(file);
  }
  return below;
}

}  // namespace

std::vector<Layer> read_chain(const fs::path& file) {
  std::vector<Layer> chain = {read_layer(file)};
  while (!chain.back().header.backing.empty()) {
    if (chain.size() == max_layers)
      throw Error(ErrorCode::refused, file.string() + " has more than " + std::to_string(max_layers) + " layers",
                  "merge some of them: pbotvm image commit, or pbotvm image stream");
    Layer below = read_below(chain.back());
    for (const Layer& layer : chain)
      if (fs::equivalent(layer.file, below.file))
        throw Error(ErrorCode::refused, below.file.string() + " lies on itself by way of " + chain.back().file.string(),
                    "give one of them its right base with `pbotvm image rebase --unsafe`");
    chain.push_back(std::move(below));
  }
  return chain;
}

std::vector<fs::path> OverlaySearch::on(const fs::path& base) const {
  std::vector<fs::path> result;
  for (const Overlay& overlay : overlays)
    if (overlay.backing == base) result.push_back(overlay.file);
  return result;
}

OverlaySearch find_overlays(const std::vector<fs::path>& directories) {
  OverlaySearch search;
  std::set<fs::path> seen;
  std::size_t looked_at = 0;
  for (const fs::path& directory : directories) {
    std::error_code error;
    fs::recursive_directory_iterator entry(directory, fs::directory_options::skip_permission_denied, error);
    for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
      if (++looked_at > max_searched) {
        search.complete = false;
        break;
      }
      if (entry.depth() >= searched_depth) entry.disable_recursion_pending();
      std::error_code ignored;
      if (entry->symlink_status(ignored).type() != fs::file_type::regular) continue;
      const fs::path file = fs::weakly_canonical(entry->path(), ignored);
      if (ignored || !seen.insert(file).second) continue;
      try {
        ImageHeader header = read_header(file);
        if (!header.backing.empty()) search.overlays.push_back({file, backing_path(file, header.backing), header});
      } catch (const Error&) {
        // Nothing of ours, or nothing that we may read.
      }
    }
    if (error)
      throw Error(ErrorCode::unavailable, "look through " + printable(directory.string()) + ": " + error.message());
  }
  std::ranges::sort(search.overlays, {}, &Overlay::file);
  return search;
}

}  // namespace pbotvm::image
