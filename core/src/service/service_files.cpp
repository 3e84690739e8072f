// SPDX-License-Identifier: MIT

// Files that go with a request's job and come back from it: what of Service keeps those of a persist-key, and hands the
// others to the client.

#include <Poco/Logger.h>

#include <algorithm>
#include <utility>

#include "pbotvm/error.h"
#include "pbotvm/reply_text.h"
#include "service/refusal.h"
#include "service/service.h"

namespace pbotvm::service {

namespace {

constexpr std::size_t most_left_behind = 64;  // as docs/protocol.md bounds them

Poco::Logger& log() {
  return Poco::Logger::get("service");
}

bool is_below(const std::string& path, const std::string& directory) {
  return path == directory || (path.starts_with(directory) && path[directory.size()] == '/');
}

// What of the files below the key did not come back, or may not have; empty when all did. Half of them must never
// replace what is kept.
std::string missing_of(const std::vector<LeftBehind>& left_behind, const std::string& key, bool others_wanted) {
  if (left_behind.size() >= most_left_behind) return "too many files could not be taken back";
  for (const auto& left : left_behind) {
    // A search that was given up may have missed any file; guests name a place above the key then, or say so.
    const bool search = left.path == "." || left.path == "..." || left.why.starts_with("not searched");
    if (!others_wanted || search || is_below(left.path, key)) return "'" + left.path + "': " + left.why;
  }
  return {};
}

// Rather than refused something, with which it went on.
bool was_ended(Limit limit) {
  return limit != Limit::none && limit != Limit::processes && limit != Limit::file_size;
}

std::string seconds_text(std::chrono::milliseconds duration) {
  std::string text = std::to_string(duration.count() / 1000);
  if (duration.count() % 1000 != 0) text += "." + std::to_string(duration.count() % 1000 + 1000).substr(1);
  return text + " s";
}

}  // namespace

// A client's file may stand nowhere where the language has one.
void Service::add_client_files(const ClientRequest& client, const std::string& language, Job& job) {
  for (const auto& file : client.files) {
    const auto same = [&file](const JobFile& own) { return own.path == file.path; };
    if (std::any_of(job.files.begin(), job.files.end(), same)) {
      refuse("bad-request", "Invalid request: the file '" + printable(file.path) +
                                "' has the name of the file that language '" + language +
                                "' makes of the code; give it another one.");
    }
  }
  job.files.insert(job.files.end(), client.files.begin(), client.files.end());
}

// The files of the persist-key go with the job, and come back with its result.
void Service::bring_kept_files(Run& run, Job& job) {
  const std::string& key = run.client.persist_key;
  if (key.empty()) return;
  job.persist_key = key;
  for (const auto& file : job.files) {
    if (is_below(file.path, key)) {
      refuse("bad-request", "Invalid request: the file '" + printable(file.path) +
                                "' stands where the persistent files of '" + key + "' are; choose another name.");
    }
  }
  run.kept = persistent_.lease(key, Deadline::in(configuration_.queue_timeout), run.control.stop_token());
  refuse_if_cancelled(run.control);
  if (!run.kept) {
    refuse("persist-key-busy", "The persistent files of '" + key +
                                   "' are in use by another job, which did not end within " +
                                   seconds_text(configuration_.queue_timeout) + "; try again soon.");
  }
  if (!speaks_frames(run.machine)) return;
  for (auto& file : load_kept(*run.kept)) {
    file.path = key + "/" + file.path;
    job.files.push_back(std::move(file));
  }
  job.directories.push_back(key);
  job.collection.patterns.push_back(key + "/**");
  job.collection.files = std::min<std::uint32_t>(
      job.collection.files + static_cast<std::uint32_t>(PersistentFiles::max_files), protocol::max_collected_files);
  job.collection.bytes =
      std::min<std::uint64_t>(job.collection.bytes + configuration_.persist_limit, protocol::max_collected_bytes);
}

std::vector<JobFile> Service::load_kept(const PersistentFiles::Lease& lease) {
  try {
    return persistent_.load(lease);
  } catch (const Error& e) {
    log().error("persistent files of '%s': %s", lease.key(), std::string(e.what()));
    const bool damaged = e.code() == ErrorCode::protocol;
    refuse("persist-failed",
           "The persistent files of '" + lease.key() + "' cannot be read" +
               (damaged ? ": their archive is damaged. The host has put it aside; the next job begins "
                          "without files."
                        : "; the host's log says why."));
  }
}

// The files that came back: those of the persist-key are kept, the others are the client's. Returns why the former were
// not; empty when all is well.
std::string Service::hand_out(Run& run, Result& result) {
  const std::string& key = run.client.persist_key;
  std::vector<JobFile> files = std::exchange(result.files, {}), kept;
  const auto first_kept = std::stable_partition(
      files.begin(), files.end(), [&key](const JobFile& file) { return key.empty() || !is_below(file.path, key); });
  const bool replaced = std::any_of(first_kept, files.end(), [&key](const JobFile& file) { return file.path == key; });
  for (auto file = first_kept; file != files.end(); ++file) {
    file->path.erase(0, std::min(key.size() + 1, file->path.size()));
    kept.push_back(std::move(*file));
  }
  files.erase(first_kept, files.end());
  const std::string why = replaced ? "'" + key + "' is a file, and must be a directory" : save_kept(run, result, kept);
  run.kept.reset();  // the next job of this key need not wait for a slow client

  std::uint64_t bytes = 0;
  std::uint32_t count = 0;
  for (auto& file : files) {
    bytes += file.content.size();
    // The guest was told the bounds; a guest is not to be trusted.
    if (bytes > configuration_.collect_limit || ++count > configuration_.collect_files) {
      run.audience.take(LeftBehind{file.path, "more than the host takes back"});
    } else {
      run.audience.take(std::move(file));
    }
  }
  for (const auto& left : result.left_behind) {
    if (key.empty() || !is_below(left.path, key)) run.audience.take(left);
  }
  if (!why.empty()) run.audience.take(NotSaved{key, why});
  return why;
}

std::string Service::save_kept(Run& run, const Result& result, const std::vector<JobFile>& files) {
  if (!run.kept || !speaks_frames(run.machine)) return {};
  if (was_ended(result.limit)) return "the job did not come to its end";
  if (!result.collected) return "the guest did not send them";
  if (const auto why = missing_of(result.left_behind, run.kept->key(), !run.client.outputs.empty()); !why.empty()) {
    return printable(why);
  }
  try {
    persistent_.save(*run.kept, files);
  } catch (const Error& e) {
    log().warning("persistent files of '%s': %s", run.kept->key(), std::string(e.what()));
    return e.code() == ErrorCode::refused ? e.what() : "the host could not write them; its log says why";
  }
  return {};
}

}  // namespace pbotvm::service
