// SPDX-License-Identifier: MIT
#include "image/block_job.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "image/image_chain.h"
#include "image/image_header.h"
#include "image/image_name.h"
#include "image/layers.h"
#include "pbotvm/deadline.h"
#include "pbotvm/error.h"
#include "pbotvm/unique_fd.h"
#include "qmp/qmp.h"

namespace pbotvm::image {

namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using nlohmann::json;
using qmp::QmpClient;
using qmp::text_at;

constexpr auto patience = 30s;          // for the answer to a command, which QEMU gives at once unless its disk hangs
constexpr auto flush_patience = 10min;  // what was copied goes to the disk
constexpr int look_around = 100;        // ms between two looks at the job when nothing happens
constexpr int most_lost_looks = 3;      // at a job that is gone while no event has told of its end
constexpr char job_name[] = "pbotvm-image";

Deadline soon() {
  return Deadline::in(patience);
}

Deadline long_patience() {
  return Deadline::in(flush_patience);
}

/// An image that QEMU has open.
struct Node {
  std::string name;
  fs::path file;
  fs::path backing;  ///< empty where it lies on nothing
};

UniqueFd connect_to(const fs::path& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) throw Error(ErrorCode::internal, errno_text("make a socket", errno));
  // A socket's name has room for 107 bytes only; its directory is named by a descriptor instead.
  const UniqueFd directory(::open(path.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  const std::string name = "/proc/self/fd/" + std::to_string(directory.get()) + "/" + path.filename().string();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() >= sizeof address.sun_path)
    throw Error(ErrorCode::configuration, "the name of the socket " + path.string() + " is too long");
  std::memcpy(address.sun_path, name.c_str(), name.size() + 1);
  if (directory && ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  if (errno == EACCES)
    throw Error(ErrorCode::refused, errno_text("reach QEMU at " + path.string(), errno),
                "do it as the user that the machine runs as, or as root");
  throw Error(ErrorCode::unavailable, errno_text("reach QEMU at " + path.string(), errno),
              "name the QMP socket of the machine's QEMU: -qmp unix:SOCKET,server=on,wait=off");
}

/// The process that listens there; 0 where that cannot be told.
pid_t process_of_peer(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : 0;
}

/// Its working directory, against which QEMU's relative names are meant.
fs::path directory_of_peer(int fd) {
  const pid_t peer = process_of_peer(fd);
  std::error_code error;
  return peer > 0 ? fs::read_symlink("/proc/" + std::to_string(peer) + "/cwd", error) : fs::path();
}

/// By a signal, or by a debugger. See proc(5): the state stands behind the name, which may have brackets of its own.
bool is_stopped(pid_t process) {
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string line;
  std::getline(file, line);
  const auto name_end = line.rfind(')');
  return name_end != std::string::npos &&
         (line.compare(name_end, 3, ") T") == 0 || line.compare(name_end, 3, ") t") == 0);
}

/// QEMU names an image like this once it was opened otherwise than its header says.
constexpr std::string_view json_protocol = "json:";

std::string file_of(const json& node) {
  if (!node.is_object()) return {};
  const auto below = node.find("file");
  if (below != node.end() && below->is_object()) return text_at(*below, "filename");
  return text_at(node, below != node.end() ? "file" : "filename");
}

/// One QEMU, and at most one job in it.
class BlockJobs {
 public:
  explicit BlockJobs(const fs::path& socket) : BlockJobs(socket, connect_to(socket)) {}

  Node find(const fs::path& file) const {
    std::string known;
    for (const Node& node : nodes_) {
      if (node.file == file) return node;
      known += (known.empty() ? "" : ", ") + printable(node.file.string());
    }
    throw Error(ErrorCode::refused, "that QEMU does not have " + file.string() + " open",
                known.empty() ? "it has no image open" : "it has these: " + known);
  }

  /// The image that lies on this one; none where the machine itself uses it.
  std::optional<Node> above(const Node& node) const {
    const auto found = std::ranges::find(nodes_, node.file, &Node::backing);
    return found == nodes_.end() ? std::nullopt : std::optional(*found);
  }

  /// `written` is the image that the job writes to. It is flushed before anything comes to rely on it: QEMU itself
  /// would change the header of an overlay while where the new data lie is still in its memory.
  /// None where the job does so by itself.
  /// `no_snapshots`: the job ends with an error when that image gets a snapshot inside meanwhile, which would need what
  /// the image lies on.
  Outcome run(const std::string& command, json arguments, const Node* written, const Watch& watch,
              const fs::path& no_snapshots = {}) {
    arguments["job-id"] = job_name;
    arguments["auto-finalize"] = written == nullptr;
    if (written != nullptr) written_ = written->name;
    no_snapshots_ = no_snapshots;
    clear_away();
    qmp_.execute(command, arguments, soon());
    return follow(command, watch);
  }

  /// Closes what the machine no longer needs: from `top` down to the one above `base`. Nodes that were made by
  /// -blockdev stay open otherwise; others are gone by themselves.
  void release(const Node& top, const fs::path& base) {
    for (Node at = top; at.file != base;) {
      try {
        qmp_.execute("blockdev-del", {{"node-name", at.name}}, soon());
      } catch (const Error& error) {
        if (error.code() != ErrorCode::refused) throw;
      }
      if (at.backing.empty()) return;
      at = find(at.backing);
    }
  }

 private:
  // QmpClient keeps its socket for itself; a second descriptor of it is what can be waited for here.
  BlockJobs(const fs::path& socket, UniqueFd fd)
      : ready_(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0)),
        directory_(directory_of_peer(fd.get())),
        qmp_(greeted(socket, std::move(fd))) {
    const json answer = qmp_.execute("query-named-block-nodes", {{"flat", true}}, soon());
    for (const json& entry : answer) {
      const std::string driver = text_at(entry, "drv");
      if (driver != "qcow2" && driver != "raw") continue;
      const fs::path file = place(text_at(entry, "file"));
      if (file.empty()) continue;  // no local file
      nodes_.push_back({text_at(entry, "node-name"), file, place(text_at(entry, "backing_file"))});
    }
  }

  static QmpClient greeted(const fs::path& socket, UniqueFd fd) {
    const pid_t peer = process_of_peer(fd.get());
    try {
      return QmpClient(std::move(fd), -1, soon());
    } catch (const Error& error) {
      if (error.code() != ErrorCode::timed_out) throw;
      const std::string process = "process " + std::to_string(peer);
      const std::string what = "QEMU (" + process + ") does not answer at " + socket.string();
      if (is_stopped(peer))
        throw Error(ErrorCode::timed_out, what + ": it is stopped", "let it go on: kill -CONT " + std::to_string(peer));
      throw Error(ErrorCode::timed_out, what,
                  "it hangs, or speaks to another client there, which is one at a time: end that one, or give it a "
                  "second -qmp socket");
    }
  }

  fs::path place(std::string name) const {
    std::error_code error;
    if (name.starts_with(json_protocol)) name = file_of(json::parse(name.substr(json_protocol.size()), nullptr, false));
    if (name.empty() || has_protocol(name)) return {};
    const fs::path result = fs::weakly_canonical(directory_ / name, error);
    return error ? fs::path() : result;
  }

  Outcome follow(const std::string& command, const Watch& watch) {
    bool cancelling = false;
    for (int lost = 0; lost < most_lost_looks;) {
      while (const auto event = qmp_.take_event()) {
        if (const auto outcome = take(command, *event, cancelling)) return *outcome;
      }
      lost = tell(watch) ? 0 : lost + 1;
      if (lost == 0) stop_at_snapshot();
      if (!cancelling && watch.wants_end()) {
        cancelling = true;
        cancel();
      }
      pollfd fd{ready_.get(), POLLIN, 0};
      ::poll(&fd, 1, look_around);
    }
    throw Error(ErrorCode::protocol, "QEMU's job " + command + " is gone without a word",
                "see what the images are now: pbotvm image info");
  }

  /// What an event says of the job: its end, or nothing.
  std::optional<Outcome> take(const std::string& command, const json& event, bool cancelling) {
    const json data = event.value("data", json::object());
    const std::string name = text_at(event, "event");
    if (text_at(data, name == "BLOCK_JOB_PENDING" ? "id" : "device") != job_name) return std::nullopt;
    if (name == "BLOCK_JOB_READY" && !cancelling) qmp_.execute("block-job-complete", {{"device", job_name}}, soon());
    if (name == "BLOCK_JOB_PENDING" && !cancelling) finalize();
    if (name == "BLOCK_JOB_CANCELLED") return Outcome::cancelled;
    if (name != "BLOCK_JOB_COMPLETED") return std::nullopt;
    const std::string error = text_at(data, "error");
    if (!error.empty())
      throw Error(ErrorCode::refused, "QEMU's " + command + " failed: " + printable(error),
                  "every image still has its content; mend the cause and give the command again");
    return Outcome::done;
  }

  /// Whether the job is still known.
  bool tell(const Watch& watch) {
    const json jobs = qmp_.execute("query-block-jobs", json::object(), soon());
    for (const json& job : jobs) {
      if (text_at(job, "device") != job_name) continue;
      const double all = static_cast<double>(qmp::integer_at(job, "len"));
      if (all > 0) watch.report(100.0 * static_cast<double>(qmp::integer_at(job, "offset")) / all);
      return true;
    }
    return false;
  }

  /// The job of a pbotvm that was killed: it waits for somebody to finalize it. Nobody else speaks here now.
  void clear_away() {
    const Deadline deadline = soon();
    while (tell({})) {
      cancel();
      if (deadline.expired())
        throw Error(ErrorCode::timed_out, "QEMU does not let go of an earlier job on its images", "try again");
      ::poll(nullptr, 0, look_around);
    }
    while (qmp_.take_event()) {
    }
  }

  void stop_at_snapshot() {
    if (no_snapshots_.empty() || read_header(no_snapshots_).snapshots == 0) return;
    cancel();
    throw Error(ErrorCode::refused, "somebody took a snapshot of the machine, which needs what is below the image",
                "delete it, then give the command again");
  }

  void finalize() {
    const json said =
        qmp_.execute("human-monitor-command", {{"command-line", "qemu-io " + written_ + " flush"}}, long_patience());
    if (said.is_string() && !said.get<std::string>().empty()) {
      cancel();
      throw Error(ErrorCode::refused,
                  "QEMU could not write out what was copied: " + printable(said.get<std::string>()));
    }
    stop_at_snapshot();
    qmp_.execute("block-job-finalize", {{"id", job_name}}, soon());
  }

  void cancel() {
    try {
      qmp_.execute("block-job-cancel", {{"device", job_name}, {"force", true}}, soon());
    } catch (const Error& error) {
      if (error.code() != ErrorCode::refused) throw;  // it has just ended, which an event tells
    }
  }

  UniqueFd ready_;
  fs::path directory_;
  QmpClient qmp_;
  std::vector<Node> nodes_;
  std::string written_;    // name of the node
  fs::path no_snapshots_;  // empty: it may get some
};

json arguments_for(const BlockJobOptions& options) {
  return options.rate > 0 ? json{{"speed", options.rate}} : json::object();
}

[[noreturn]] void lies_on_nothing(const Node& node) {
  throw Error(ErrorCode::refused, node.file.string() + " lies on no other image");
}

// The chain below `node` must hold `base`: QEMU would take another machine's image for what it is not.
void must_lie_on(const BlockJobs& jobs, const Node& node, const Node& base) {
  for (Node at = node; !at.backing.empty();) {
    if (at.backing == base.file) return;
    at = jobs.find(at.backing);
  }
  throw Error(ErrorCode::refused, node.file.string() + " does not lie on " + base.file.string());
}

// QEMU puts only what it has open itself onto the base; whatever else lies on the image would still need it afterwards.
void nothing_else_may_lie_on(const Node& image, const std::optional<Node>& over) {
  std::vector<fs::path> directories = {image.file.parent_path()};
  if (over) directories.push_back(over->file.parent_path());
  std::string others;
  for (const fs::path& file : find_overlays(directories).on(image.file))
    if (!over || file != over->file) others += (others.empty() ? "" : ", ") + printable(file.string());
  if (others.empty()) return;
  const std::string name = printable(image.file.string());
  throw Error(
      ErrorCode::refused,
      "other overlays lie on " + name + " too, and a commit through the machine leaves them there: " + others,
      "stream them first (pbotvm image stream FILE), or put them onto an image that is not written (pbotvm image "
      "rebase FILE NEW_BASE), or stop the machine: a commit of images not in use puts them onto the base itself");
}

}  // namespace

BlockJobReport commit_running(const fs::path& socket, const fs::path& file, const BlockJobOptions& options,
                              const Watch& watch) {
  BlockJobs jobs(socket);
  const Node top = jobs.find(file);
  if (top.backing.empty()) lies_on_nothing(top);
  const Node base = jobs.find(options.base.value_or(top.backing));
  must_lie_on(jobs, top, base);
  json arguments = arguments_for(options);
  arguments["top-node"] = top.name;
  arguments["base-node"] = base.name;
  Node root = top;
  while (const auto next = jobs.above(root)) root = *next;
  arguments["device"] = root.name;
  const auto over = jobs.above(top);
  nothing_else_may_lie_on(top, over);
  if (over) arguments["backing-file"] = backing_text(over->file, base.file);
  const Outcome outcome = jobs.run("block-commit", std::move(arguments), over ? &base : nullptr, watch);
  if (outcome == Outcome::done) jobs.release(top, base.file);
  return {outcome, !over, base.file};
}

BlockJobReport stream_running(const fs::path& socket, const fs::path& file, const BlockJobOptions& options,
                              const Watch& watch) {
  BlockJobs jobs(socket);
  const Node top = jobs.find(file);
  if (top.backing.empty()) lies_on_nothing(top);
  must_hold_no_snapshots({top.file, read_header(top.file)});
  json arguments = arguments_for(options);
  arguments["device"] = top.name;
  if (options.base) {
    const Node base = jobs.find(*options.base);
    must_lie_on(jobs, top, base);
    arguments["base-node"] = base.name;
    arguments["backing-file"] = backing_text(top.file, base.file);
  }
  const Outcome outcome = jobs.run("block-stream", std::move(arguments), &top, watch, top.file);
  const fs::path base = options.base.value_or(fs::path());
  if (outcome == Outcome::done && top.backing != base) jobs.release(jobs.find(top.backing), base);
  return {outcome, false, base};
}

}  // namespace pbotvm::image
