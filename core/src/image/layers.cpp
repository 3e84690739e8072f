// SPDX-License-Identifier: MIT
#include "image/layers.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "image/image_name.h"
#include "image/image_use.h"
#include "image/qemu_img.h"
#include "pbotvm/error.h"
#include "pbotvm/unique_fd.h"

namespace pbotvm::image {

namespace {

namespace fs = std::filesystem;
using Words = std::vector<std::string>;

constexpr mode_t anybody_writes = 0222, protected_mode = 0444, usual_mode = 0644;

std::string quoted(const fs::path& file) {
  return printable(file.string());
}

std::string joined(const std::vector<fs::path>& files) {
  std::string text;
  for (const fs::path& file : files) text += (text.empty() ? "" : ", ") + quoted(file);
  return text;
}

struct ::stat status_of(const fs::path& file) {
  struct ::stat status {};
  if (::stat(file.c_str(), &status) != 0)
    throw Error(ErrorCode::unavailable, errno_text("stat " + quoted(file), errno));
  return status;
}

// The directory entry too must be on the disk before something that relies on it is changed.
void sync(const fs::path& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0)
    throw Error(ErrorCode::unavailable, errno_text("write out " + quoted(file), errno));
}

/// A file that is made under a name of its own and then takes its place at once, whole. Gone unless it did.
class NewFile {
 public:
  explicit NewFile(const fs::path& place) : place_(place) {
    std::string name = place.parent_path() / ".pbotvm-XXXXXX";
    fd_.reset(::mkostemp(name.data(), O_CLOEXEC));
    if (!fd_)
      throw Error(ErrorCode::unavailable, errno_text("make a file in " + quoted(place.parent_path()), errno),
                  "choose a directory that exists and that you may write");
    name_ = name;
  }
  ~NewFile() {
    if (!name_.empty()) ::unlink(name_.c_str());
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  const std::string& name() const { return name_; }

  /// Where nothing may be yet.
  void appear() {
    const mode_t mask = ::umask(0);
    ::umask(mask);
    ::fchmod(fd_.get(), usual_mode & ~mask);
    move(RENAME_NOREPLACE);
  }

  /// In the place of the file there, which has the same owner and mode as this one then.
  void replace(const struct ::stat& old) {
    if (::fchown(fd_.get(), old.st_uid, old.st_gid) != 0 || ::fchmod(fd_.get(), old.st_mode & 07777) != 0)
      throw Error(ErrorCode::unavailable, errno_text("give a new " + quoted(place_) + " its owner", errno));
    move(0);
  }

 private:
  void move(unsigned flags) {
    sync(name_);
    if (::renameat2(AT_FDCWD, name_.c_str(), AT_FDCWD, place_.c_str(), flags) != 0)
      throw Error(ErrorCode::refused, errno_text("make " + quoted(place_), errno), "choose another name, or remove it");
    name_.clear();
    sync(place_.parent_path());
  }

  const fs::path place_;
  std::string name_;
  UniqueFd fd_;  // by its name the directory's owner could have root give him another file
};

void must_be_new(const fs::path& file) {
  if (fs::exists(fs::symlink_status(file)))
    throw Error(ErrorCode::refused, quoted(file) + " exists, and is not overwritten",
                "choose another name, or remove it");
}

// ---- What must hold before anything is changed

void must_be_plain(const Layer& layer) {
  const std::string file = quoted(layer.file);
  if (layer.header.external_data)
    throw Error(ErrorCode::refused, file + " keeps its data in another file, which is not supported",
                "convert it: qemu-img convert -O qcow2");
  if (layer.header.encrypted)
    throw Error(ErrorCode::refused, file + " is encrypted, which is not supported", "convert it with qemu-img");
  if (layer.header.corrupt)
    throw Error(ErrorCode::refused, file + " is marked as corrupt",
                "restore it, or try qemu-img check -r all on a copy");
}

void must_be_overlay(const Layer& layer) {
  if (layer.header.backing.empty()) throw Error(ErrorCode::refused, quoted(layer.file) + " lies on no other image");
}

// Where an overlay does not say what its base is, QEMU guesses, and takes what a machine wrote to a raw disk for a
// format.
void must_record_formats(const std::vector<Layer>& chain) {
  for (const Layer& layer : chain) {
    must_be_plain(layer);
    if (!layer.header.backing.empty() && layer.header.backing_format.empty())
      throw Error(ErrorCode::refused, quoted(layer.file) + " does not record the format of what it lies on",
                  "record it: pbotvm image rebase --unsafe " + quoted(layer.file) + " BASE");
  }
}

void must_be_unused(const fs::path& file, Use allowed = Use::none) {
  const ImageUse use = image_use(file);
  if (use.use == Use::none || use.use == allowed) return;
  const std::string machine = use.machine.empty() ? "what uses it" : "the machine '" + use.machine + "'";
  throw Error(ErrorCode::refused, quoted(file) + " is " + use.text(), "stop " + machine + " first");
}

void must_be_writable(const fs::path& file) {
  if ((status_of(file).st_mode & anybody_writes) == 0)
    throw Error(ErrorCode::refused, quoted(file) + " is protected: nobody may write it",
                "if it is to change: chmod u+w " + quoted(file));
}

std::size_t place_of_target(const std::vector<Layer>& chain, const std::optional<fs::path>& into) {
  if (!into) return 1;
  for (std::size_t place = 1; place < chain.size(); ++place)
    if (chain[place].file == *into) return place;
  throw Error(ErrorCode::refused, quoted(chain.front().file) + " does not lie on " + quoted(*into),
              "see what it lies on: pbotvm image info " + quoted(chain.front().file));
}

// Where the layers between would hide a part of what was written, or show one that was hidden, content changes.
void sizes_must_fit(const CommitPlan& plan) {
  const std::uint64_t image = plan.image().header.virtual_size;
  std::uint64_t least = image;
  for (std::size_t place = 1; place < plan.into; ++place)
    least = std::min(least, plan.chain[place].header.virtual_size);
  const bool cuts = least < image && least < plan.base().header.virtual_size;
  bool uncovers = plan.base().header.virtual_size > image && !plan.above.empty();
  if (uncovers)
    uncovers = std::ranges::any_of(plan.above,
                                   [image](const fs::path& file) { return read_header(file).virtual_size > image; });
  if (cuts || uncovers)
    throw Error(
        ErrorCode::refused,
        quoted(plan.base().file) + " is larger than an image between it and one above: parts of it would appear",
        "give the smaller image the same size first: qemu-img resize");
}

void nothing_else_may_lie_on(const CommitPlan& plan, const OverlaySearch& search, bool force) {
  if (force) return;
  std::vector<fs::path> others;
  for (std::size_t place = 1; place <= plan.into; ++place)
    for (const fs::path& file : search.on(plan.chain[place].file))
      if (file != plan.chain[place - 1].file) others.push_back(file);
  if (!others.empty())
    throw Error(ErrorCode::refused,
                "other overlays lie on what would be written, and would lose their content: " + joined(others),
                "stream them first (pbotvm image stream FILE), remove them, or give --force");
  if (!search.complete)
    throw Error(
        ErrorCode::refused,
        "there are too many files around " + quoted(plan.base().file) + " to see whether other overlays lie on it",
        "move the images to a directory of their own, or give --force");
}

Outcome put_onto(const fs::path& file, const fs::path& base, const std::string& format, bool unsafe,
                 const Watch& watch) {
  Words words = {"rebase", "-f", "qcow2"};
  // qemu-img changes the header before it has written out where the copied data lie, unless each write is written out.
  const Words how = unsafe ? Words{"-u"} : Words{"-p", "-t", "writethrough"};
  words.insert(words.end(), how.begin(), how.end());
  if (!base.empty()) words.insert(words.end(), {"-F", format});
  words.insert(words.end(), {"-b", base.empty() ? std::string() : backing_text(file, base), file.string()});
  const Outcome outcome = run_qemu_img(words, watch);
  if (outcome == Outcome::done) sync(file);
  return outcome;
}

void make_overlay(const std::string& name, const fs::path& place, const fs::path& base, const std::string& format,
                  const ImageHeader* like) {
  Words words = {"create", "-q", "-f", "qcow2", "-F", format, "-b", backing_text(place, base)};
  if (like != nullptr) {
    const std::string extended = like->extended_l2 ? ",extended_l2=on" : "";
    words.insert(words.end(), {"-o", "cluster_size=" + std::to_string(like->cluster_size) + extended});
  }
  words.push_back(name);
  if (like != nullptr) words.push_back(std::to_string(like->virtual_size));
  run_qemu_img(words);
}

}  // namespace

void must_hold_no_snapshots(const Layer& layer, const std::string& otherwise) {
  const auto count = layer.header.snapshots;
  if (count == 0) return;
  throw Error(ErrorCode::refused,
              quoted(layer.file) + " has " + std::to_string(count) + (count == 1 ? " snapshot" : " snapshots") +
                  " inside, which would lose what is below",
              "delete what is not needed: qemu-img snapshot -d NAME " + quoted(layer.file) + otherwise);
}

void create(const fs::path& file, std::uint64_t size, Format format) {
  must_be_new(file);
  if (size == 0 || size > max_virtual_size)
    throw Error(ErrorCode::configuration, "the size of an image is from 1 byte to 64 TiB");
  NewFile made(file);
  run_qemu_img({"create", "-q", "-f", format_name(format), made.name(), std::to_string(size)});
  made.appear();
}

void overlay(const fs::path& base, const fs::path& file, bool protect) {
  must_be_new(file);
  const std::vector<Layer> chain = read_chain(base);
  must_record_formats(chain);
  if (chain.size() == max_layers)
    throw Error(ErrorCode::refused, quoted(base) + " has " + std::to_string(max_layers) + " layers already",
                "merge some of them: pbotvm image commit, or pbotvm image stream");
  must_be_unused(base, Use::read);
  NewFile made(file);
  make_overlay(made.name(), file, base, format_name(chain.front().header.format), nullptr);
  if (protect && ::chmod(base.c_str(), protected_mode) != 0)
    throw Error(ErrorCode::unavailable, errno_text("protect " + quoted(base), errno), "do it as its owner");
  made.appear();
}

CommitPlan plan_commit(const fs::path& file, const CommitOptions& options) {
  CommitPlan plan;
  plan.chain = read_chain(file);
  must_be_overlay(plan.image());
  plan.into = place_of_target(plan.chain, options.into);
  must_record_formats(plan.chain);
  std::vector<fs::path> directories;
  for (std::size_t place = 0; place <= plan.into; ++place) directories.push_back(plan.chain[place].file.parent_path());
  const OverlaySearch search = find_overlays(directories);
  plan.above = search.on(plan.image().file);
  nothing_else_may_lie_on(plan, search, options.force);
  must_be_writable(plan.base().file);
  sizes_must_fit(plan);
  for (std::size_t place = 0; place < plan.into && !options.force; ++place)
    must_hold_no_snapshots(plan.chain[place], "; or --force, which gives them up");
  return plan;
}

CommitReport commit(const fs::path& file, const CommitOptions& options, const Watch& watch) {
  const CommitPlan plan = plan_commit(file, options);
  for (std::size_t place = 0; place <= plan.into; ++place) must_be_unused(plan.chain[place].file);
  for (const fs::path& above : plan.above) must_be_unused(above);
  CommitReport report;
  report.base = plan.base().file;

  // -d: qemu-img does not empty the image, which it could not do at one stroke.
  Words words = {"commit", "-p", "-d", "-f", "qcow2"};
  if (plan.into > 1) words.insert(words.end(), {"-b", plan.base().file.string()});
  if (options.rate > 0) words.insert(words.end(), {"-r", std::to_string(options.rate)});
  words.push_back(file.string());
  report.outcome = run_qemu_img(words, watch);
  if (report.outcome == Outcome::cancelled) return report;
  sync(plan.base().file);

  // From here on everything is in the base, so each of these steps changes nobody's content.
  const std::string format = plan.chain[plan.into - 1].header.backing_format;
  for (const fs::path& above : plan.above) {
    put_onto(above, plan.base().file, format, true, {});
    report.rebased.push_back(above);
  }
  for (std::size_t place = 1; place < plan.into; ++place) report.hollow.push_back(plan.chain[place].file);
  if (options.remove) {
    if (::unlink(file.c_str()) != 0)
      throw Error(ErrorCode::unavailable, errno_text("remove " + quoted(file), errno), "remove it yourself");
    report.image = CommitReport::Image::removed;
  } else if (!options.keep && !plan.image().header.bitmaps) {
    NewFile empty(file);
    make_overlay(empty.name(), file, plan.base().file, format, &plan.image().header);
    empty.replace(status_of(file));
    report.image = CommitReport::Image::emptied;
  }
  return report;
}

Outcome rebase(const fs::path& file, const fs::path& base, bool unsafe, const Watch& watch) {
  const std::vector<Layer> below = read_chain(base);
  for (const Layer& layer : below)
    if (layer.file == file)
      throw Error(ErrorCode::refused, quoted(file) + " would lie on itself: " + quoted(base) + " lies on it");
  if (below.size() + 1 > max_layers)
    throw Error(ErrorCode::refused, quoted(base) + " has " + std::to_string(max_layers) + " layers already");
  must_record_formats(below);
  const Layer image{file, read_header(file), 0};
  must_be_plain(image);
  if (image.header.format != Format::qcow2)
    throw Error(ErrorCode::refused, quoted(file) + " is raw, and a raw image lies on no other one",
                "make an overlay on it: pbotvm image overlay " + quoted(file) + " NEW.qcow2");
  must_be_unused(file);
  must_be_unused(base, Use::read);
  if (!unsafe) {
    must_record_formats(read_chain(file));
    must_hold_no_snapshots(image);
  }
  return put_onto(file, base, format_name(below.front().header.format), unsafe, watch);
}

Outcome stream(const fs::path& file, const std::optional<fs::path>& base, const Watch& watch) {
  const std::vector<Layer> chain = read_chain(file);
  must_be_overlay(chain.front());
  const std::size_t place = place_of_target(chain, base);
  must_record_formats(chain);
  must_be_unused(file);
  must_hold_no_snapshots(chain.front());
  const std::string format = base ? chain[place - 1].header.backing_format : std::string();
  return put_onto(file, base.value_or(fs::path()), format, false, watch);
}

}  // namespace pbotvm::image
