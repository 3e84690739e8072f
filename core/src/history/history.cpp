// SPDX-License-Identifier: MIT
#include "history/history.h"

#include <Poco/Logger.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "history/channel.h"
#include "history/code_parts.h"
#include "history/difference.h"
#include "history/editing.h"
#include "history/patience.h"
#include "pbotvm/error.h"

namespace pbotvm::history {

namespace {

constexpr int patience = 100;                              // how often an edit is done anew as another one came first
constexpr std::chrono::seconds patience_with_edits{2};     // processor time for those of one request, all together
constexpr std::chrono::seconds latest_end_of_edits{30};    // of one request, however busy the system is
constexpr std::chrono::seconds pause_of_writing{1};        // after a lock that stayed: others must not wait in turn
constexpr std::chrono::minutes silence_of_complaints{10};  // of the same text

Poco::Logger& log() {
  return Poco::Logger::get("history");
}

// perl -n and -p, alone or among other letters, read lines and run s/// on each.
bool is_filter(const CodeParts& parts) {
  return std::any_of(parts.options.begin(), parts.options.end(), [](const std::string& option) {
    const auto letters = option.substr(0, option.find_first_of("eEMIC"));  // those have a value
    return option != "-info" && option != "-paste" && letters.find_first_of("np") != std::string::npos;
  });
}

EditReading reading_of(const std::string& language, const CodeParts& parts) {
  const bool perl = language == "perl";
  return {language != "sed" && !(perl && is_filter(parts)), !perl && language != "bc" && language != "awk"};
}

Reply failure(std::string text) {
  return {std::move(text), true};
}

Reply nothing_to(const std::string& what, const Owner& owner, bool of_another) {
  const std::string where = !of_another ? "here" : "in " + quoted(owner.channel);
  return failure("No recent " + owner.language + " code to " + what + ' ' + where + ".");
}

Reply difference_of(const std::string& older, const std::string& newer) {
  std::string text = difference(older, newer);
  return {text.empty() ? "Nothing differs." : std::move(text)};
}

const char* word_for(const Edits& edits) {
  if (!edits.changes.empty()) return "edit";
  switch (edits.ending) {
    case Ending::show:
      return "show";
    case Ending::diff:
      return "compare";
    case Ending::paste:
      return "paste";
    case Ending::run:
      break;
  }
  return "run";
}

bool is_run(Ending ending) {
  return ending == Ending::run || ending == Ending::paste;
}

// What a request with edits brings along wins over what the code had: `-O2 run`, `run -stdin 7`.
CodeParts with_request(CodeParts parts, const CodeParts& request) {
  if (!request.options.empty()) parts.options = request.options;
  if (!request.input.empty()) parts.input = request.input;
  return parts;
}

std::string edited_text(CodeParts parts, const Edits& edits, Patience& all, Patience::Time until) {
  for (const auto& change : edits.changes) {
    if (all.spent()) throw EditError("These edits take too long on this code; send fewer at once.");
    parts.code = changed(parts.code, change, until);
  }
  if (parts.code.find_first_not_of(" \t\r\n") == std::string::npos)
    throw EditError("Nothing is left of the code after this edit.");
  std::string result = put_together(parts);
  check_size(result.size());
  return result;
}

}  // namespace

// A request that consists of edits.
struct History::Asked {
  Owner owner;
  Edits edits;
  CodeParts request;
  const OptionReading& options;
};

History::History(std::string path, Bounds bounds) : path_(std::move(path)), bounds_(bounds) {}

History::~History() = default;

Store& History::store() {
  // An operator may take the file away, or put another one in its place.
  if (store_ && !store_->is_in_place()) store_.reset();
  if (!store_) store_ = std::make_unique<Store>(path_, bounds_);
  return *store_;
}

// The file, its log and its index go together; only the latest damaged ones are kept.
void History::put_aside(const std::string& why) {
  store_.reset();
  const std::string aside = path_ + ".damaged";
  for (const char* part : {"", "-wal", "-shm"}) {
    std::remove((aside + part).c_str());
    if (std::rename((path_ + part).c_str(), (aside + part).c_str()) != 0 && errno != ENOENT) {
      throw DatabaseError(errno_text("put the damaged file aside", errno));
    }
  }
  log().error("%s is damaged (%s): it is put aside as %s, and a new one is begun", path_, why, aside);
}

void History::complain(const std::string& why) {
  const auto now = std::chrono::steady_clock::now();
  if (why == complained_ && now - complained_at_ < silence_of_complaints) return;
  complained_ = why;
  complained_at_ = now;
  log().error("%s cannot be used (%s): requests are served, edits of earlier code may fail", path_, why);
}

// Calls with the store, under the lock; with a new one where the file turns out to be damaged.
template <typename Function>
auto History::with_store(Function function) {
  const std::lock_guard lock(mutex_);
  try {
    for (bool again = true;; again = false) {
      try {
        return function(store());
      } catch (const DamagedDatabase& e) {
        if (!again) throw;
        put_aside(e.what());
      }
    }
  } catch (const DatabaseBusy& e) {
    write_again_at_ = std::chrono::steady_clock::now() + pause_of_writing;
    complain(e.what());
    throw;
  } catch (const DatabaseError& e) {
    complain(e.what());
    throw;
  }
}

Answer History::apply(const std::string& channel, const std::string& language, const std::string& text,
                      const OptionReading& options) {
  CodeParts parts = take_apart(text, options);
  if (parts.code.empty()) return RunThis{text};
  const Owner owner{channel_name(channel), language};
  const bool named_well = owner.channel.size() <= max_channel;
  auto meant = parse_edits(parts.code, reading_of(language, parts));
  if (auto* mistake = std::get_if<EditMistake>(&meant)) return failure(std::move(mistake->text));
  if (auto* edits = std::get_if<Edits>(&meant)) {
    if (!named_well)
      return failure("The name of this channel is longer than " + std::to_string(max_channel) +
                     " bytes: no code is remembered for it.");
    try {
      return edited({owner, std::move(*edits), std::move(parts), options});
    } catch (const EditError& e) {
      return failure(e.what());
    } catch (const DatabaseError&) {
      return failure("Earlier code cannot be read at the moment; the host's log says why.");
    }
  }
  take_one_off_options(parts);
  if (named_well && text.size() <= max_code) keep(owner, {}, 0, put_together(parts));
  return RunThis{text};
}

// As Store::commit(). A file that cannot be written costs a request its place in the history, and the log says why; the
// request is worth more.
bool History::keep(const Owner& owner, std::optional<std::int64_t> expected, std::size_t drop,
                   const std::string& text) {
  try {
    return with_store([&](Store& store) {
      return std::chrono::steady_clock::now() < write_again_at_ || store.commit(owner, expected, drop, text);
    });
  } catch (const DatabaseError&) {
    return true;
  }
}

Answer History::edited(const Asked& asked) {
  const Owner& owner = asked.owner;
  const Edits& edits = asked.edits;
  const Owner other{edits.of_channel ? channel_name(*edits.of_channel) : owner.channel, owner.language};
  if (edits.of_channel || (edits.changes.empty() && edits.undo == 0 && !edits.copy_from)) {
    if (edits.ending == Ending::show) return shown(other, edits.of_channel.has_value());
    if (edits.ending == Ending::diff) return compared(other, edits.of_channel.has_value());
  }
  return changed_code(asked);
}

Reply History::shown(const Owner& owner, bool of_another) {
  const auto entries = with_store([&](Store& store) { return store.newest(owner, 1); });
  if (entries.empty()) return nothing_to("show", owner, of_another);
  return {entries.front().text};
}

Reply History::compared(const Owner& owner, bool of_another) {
  const auto entries = with_store([&](Store& store) { return store.newest(owner, 2); });
  if (entries.empty()) return nothing_to("compare", owner, of_another);
  if (entries.size() < 2)
    return failure("Only one piece of " + owner.language + " code is remembered: nothing to compare it with.");
  return difference_of(entries[1].text, entries[0].text);
}

// Why there is nothing to begin with.
Reply History::nothing_to_change(const Asked& asked, bool has_any) {
  const Owner& owner = asked.owner;
  const Edits& edits = asked.edits;
  if (edits.copy_from) return nothing_to("copy", {channel_name(*edits.copy_from), owner.language}, true);
  if (edits.undo == 0 || !has_any) return nothing_to(edits.undo > 0 ? "undo" : word_for(edits), owner, false);
  const auto count = with_store([&](Store& store) { return store.count(owner); });
  if (count < 2) return failure("There is nothing before it to go back to.");
  return failure("Only " + std::to_string(count) + " pieces of " + owner.language + " code are remembered here: undo " +
                 std::to_string(count - 1) + " goes back to the first of them.");
}

// One edit after the other, even if two come at once: what was read must still be the newest when the result is kept.
Answer History::changed_code(const Asked& asked) {
  const auto& [owner, edits, given, options] = asked;
  CodeParts request = given;
  const auto one_off = take_one_off_options(request);
  if (!is_run(edits.ending)) request = {};  // options and input are for what is run
  const bool copies = edits.copy_from.has_value();
  const Owner source{copies ? channel_name(*edits.copy_from) : owner.channel, owner.language};
  const auto until = std::chrono::steady_clock::now() + latest_end_of_edits;
  Patience all(patience_with_edits, until);
  for (int attempt = 0; attempt < patience; ++attempt) {
    // The newest, and the one that an undo goes back to.
    const auto [newest, base] = with_store([&, &owner = owner, &edits = edits](Store& store) {
      auto entries = store.newest(owner, 1);
      auto bases = copies || edits.undo > 0 ? store.newest(source, 1, edits.undo) : entries;
      return std::pair(std::move(entries), std::move(bases));
    });
    if (base.empty()) return nothing_to_change(asked, !newest.empty());
    const std::string text =
        edited_text(with_request(take_apart(base.front().text, options), request), edits, all, until);
    if (!keep(owner, newest.empty() ? 0 : newest.front().id, edits.undo, text)) continue;
    if (edits.ending == Ending::show) return Reply{text};
    if (edits.ending == Ending::diff) {
      return edits.changes.empty() ? compared(owner, false) : difference_of(base.front().text, text);
    }
    CodeParts parts = take_apart(text, options);
    parts.options.insert(parts.options.begin(), one_off.begin(), one_off.end());
    if (edits.ending == Ending::paste) parts.options.insert(parts.options.begin(), "-paste");
    return RunThis{put_together(parts)};
  }
  return failure("Others changed this code " + std::to_string(patience) +
                 " times while it was edited; nothing was changed, send the edit again.");
}

}  // namespace pbotvm::history
