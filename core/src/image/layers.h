// SPDX-License-Identifier: MIT
#pragma once

// What is done with images that no machine uses. Each step leaves every overlay with its content, whatever is killed
// and whenever: data are first copied, then one header is changed, or one file is put in another's place.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "image/image_chain.h"
#include "image/progress.h"

namespace pbotvm::image {

inline constexpr std::uint64_t max_virtual_size = std::uint64_t{64} << 40;  ///< bytes: 64 TiB

/// Makes an image of `size` bytes. Throws Error{refused} where the file exists.
void create(const std::filesystem::path& file, std::uint64_t size, Format format);

/// Makes the overlay `file` on `base`; `protect` takes everybody's right to write the base away.
void overlay(const std::filesystem::path& base, const std::filesystem::path& file, bool protect);

struct CommitOptions {
  std::optional<std::filesystem::path> into;  ///< a layer further down; else the one right below
  bool force = false;      ///< although other overlays lie on what is written, or snapshots are inside
  bool keep = false;       ///< leave the merged image as it is, not emptied
  bool remove = false;     ///< remove it
  std::uint64_t rate = 0;  ///< bytes a second at most; 0: as fast as it goes
};

struct CommitPlan {
  std::vector<Layer> chain;                  ///< the image first
  std::size_t into = 1;                      ///< what is written, as a place in the chain
  std::vector<std::filesystem::path> above;  ///< the overlays found on the image

  const Layer& image() const { return chain.front(); }
  const Layer& base() const { return chain[into]; }
};

/// What a commit would do; refuses what would cost an overlay its content. Images that a machine uses are allowed, for
/// those who go through it. Throws Error.
CommitPlan plan_commit(const std::filesystem::path& file, const CommitOptions& options);

struct CommitReport {
  Outcome outcome = Outcome::done;
  enum class Image { untouched, emptied, removed } image = Image::untouched;
  std::filesystem::path base;
  std::vector<std::filesystem::path> rebased;  ///< the overlays that now lie on the base
  std::vector<std::filesystem::path> hollow;   ///< between image and base: they no longer have content of their own
};

/// Merges an image into one below it, then puts the overlays that lay on it onto that one.
CommitReport commit(const std::filesystem::path& file, const CommitOptions& options, const Watch& watch);

/// What a snapshot inside an overlay does not hold itself it has from below, and keeps no record of that: once
/// something else is below, going back to it is going back to a damaged disk. Throws Error{refused} where there is one;
/// `otherwise` is what else can be done.
void must_hold_no_snapshots(const Layer& layer, const std::string& otherwise = {});

/// Puts an image onto another base. `unsafe` changes only the record of where the base is, for one that was moved;
/// else the content stays what it was, and what differs is copied in.
Outcome rebase(const std::filesystem::path& file, const std::filesystem::path& base, bool unsafe, const Watch& watch);

/// Pulls in what the image has from those below it; all of them, or down to `base`, on which it then lies.
Outcome stream(const std::filesystem::path& file, const std::optional<std::filesystem::path>& base, const Watch& watch);

}  // namespace pbotvm::image
