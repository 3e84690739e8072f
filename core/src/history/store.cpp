// SPDX-License-Identifier: MIT
#include "history/store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "pbotvm/error.h"

namespace pbotvm::history {

namespace {

// One entry of the largest size must always fit.
constexpr std::uint64_t least_bytes = std::uint64_t(8) << 20;

// Waits for another process, such as a person with sqlite3, no longer than a client hardly notices.
constexpr const char* set_up =
    "PRAGMA busy_timeout = 250;"
    "PRAGMA journal_mode = WAL;"
    "PRAGMA synchronous = OFF;"
    "PRAGMA journal_size_limit = 4194304;"
    "PRAGMA cache_size = -2048;"
    "PRAGMA temp_store = MEMORY;"
    "PRAGMA cell_size_check = ON;"
    "PRAGMA trusted_schema = OFF;";

constexpr const char* schema =
    "CREATE TABLE IF NOT EXISTS owner (id INTEGER PRIMARY KEY AUTOINCREMENT, channel BLOB NOT NULL, language BLOB NOT "
    "NULL,"
    "  entries INTEGER NOT NULL, bytes INTEGER NOT NULL, UNIQUE (channel, language));"
    "CREATE TABLE IF NOT EXISTS entry (id INTEGER PRIMARY KEY AUTOINCREMENT, owner INTEGER NOT NULL, bytes INTEGER NOT "
    "NULL,"
    "  text BLOB NOT NULL);"
    "CREATE INDEX IF NOT EXISTS entry_of_owner ON entry (owner, id);";

constexpr std::chrono::milliseconds patience_with_opening{250};

// While another process opens the file too, the change to WAL may be refused at once, without the busy timeout.
void prepare(Database& database) {
  const auto until = std::chrono::steady_clock::now() + patience_with_opening;
  for (;;) {
    try {
      database.run(set_up);
      database.run(schema);
      return;
    } catch (const DatabaseBusy&) {
      if (std::chrono::steady_clock::now() >= until) throw;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

using FileNumber = std::pair<std::uint64_t, std::uint64_t>;

struct stat look_at(const std::string& path) {
  struct stat there {};
  if (::lstat(path.c_str(), &there) != 0) throw DatabaseError(errno_text("look at the file", errno));
  return there;
}

// Makes the file where it is missing. Nobody else may read what people wrote; SQLite gives the files beside it the same
// mode.
FileNumber make_file(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  // One that is there is not opened: to close it again would give up the locks of another connection of this process,
  // fcntl_locking(2).
  if (file < 0 && errno != EEXIST) throw DatabaseError(errno_text("make the file", errno));
  if (file >= 0) ::close(file);
  const auto there = look_at(path);
  if (!S_ISREG(there.st_mode)) throw DatabaseError("it is no regular file");
  if ((there.st_mode & 077) != 0 && ::chmod(path.c_str(), 0600) != 0) {
    throw DatabaseError(errno_text("close the file to others", errno));
  }
  return {there.st_dev, there.st_ino};
}

}  // namespace

struct Store::Statements {
  explicit Statements(Database& database)
      : owner(database, "SELECT id, entries, bytes FROM owner WHERE channel = ? AND language = ?"),
        add_owner(database, "INSERT INTO owner (channel, language, entries, bytes) VALUES (?, ?, 0, 0) RETURNING id"),
        save_owner(database, "UPDATE owner SET entries = ?, bytes = ? WHERE id = ?"),
        remove_owner(database, "DELETE FROM owner WHERE id = ?"),
        sum_of_owner(database, "SELECT id, entries, bytes FROM owner WHERE id = ?"),
        newest(database, "SELECT id, text FROM entry WHERE owner = ? ORDER BY id DESC LIMIT ? OFFSET ?"),
        newest_size(database, "SELECT id, bytes FROM entry WHERE owner = ? ORDER BY id DESC LIMIT 1"),
        oldest(database, "SELECT id, bytes FROM entry WHERE owner = ? ORDER BY id LIMIT 1"),
        oldest_of_all(database, "SELECT id, bytes, owner FROM entry ORDER BY id LIMIT 1"),
        add(database, "INSERT INTO entry (owner, bytes, text) VALUES (?, ?, ?)"),
        remove(database, "DELETE FROM entry WHERE id = ?"),
        total(database, "SELECT sum(bytes) FROM owner") {}

  Statement owner, add_owner, save_owner, remove_owner, sum_of_owner, newest, newest_size, oldest, oldest_of_all, add,
      remove, total;
};

void Store::Free::operator()(Statements* statements) const {
  delete statements;
}

Store::Store(const std::string& path, Bounds bounds)
    : path_(path),
      bounds_{bounds.entries, std::max(bounds.bytes, least_bytes)},
      file_(make_file(path)),
      database_(path) {
  prepare(database_);
  // Thrice the bound, as pages are not full: a last resort, should counting be wrong.
  const std::string pages = std::to_string(bounds_.bytes / 4096 * 3 + 1024);
  database_.run(("PRAGMA max_page_count = " + pages).c_str());
  statements_.reset(new Statements(database_));
  auto& total = statements_->total.with();
  if (total.step()) total_ = static_cast<std::uint64_t>(total.number(0));
  total.reset();
}

bool Store::is_in_place() const {
  struct stat there {};
  return ::lstat(path_.c_str(), &there) == 0 && FileNumber(there.st_dev, there.st_ino) == file_;
}

Store::Sum Store::sum_of(const Owner& owner) {
  auto& statement = statements_->owner.with(std::string_view(owner.channel), std::string_view(owner.language));
  Sum sum;
  if (statement.step()) {
    sum = {statement.number(0), static_cast<std::uint64_t>(statement.number(1)),
           static_cast<std::uint64_t>(statement.number(2))};
  }
  statement.reset();
  return sum;
}

// An owner without entries is forgotten.
void Store::save(const Sum& sum) {
  if (sum.entries == 0) return statements_->remove_owner.with(sum.id).finish();
  statements_->save_owner.with(static_cast<std::int64_t>(sum.entries), static_cast<std::int64_t>(sum.bytes), sum.id)
      .finish();
}

std::vector<KeptEntry> Store::newest(const Owner& owner, std::size_t count, std::size_t skip) {
  std::vector<KeptEntry> entries;
  const Sum sum = sum_of(owner);
  auto& statement = statements_->newest.with(sum.id, static_cast<std::int64_t>(count), static_cast<std::int64_t>(skip));
  while (statement.step()) entries.push_back({statement.number(0), statement.bytes(1)});
  statement.reset();
  return entries;
}

std::optional<KeptEntry> Store::newest_of(const Sum& sum) {
  auto& statement = statements_->newest.with(sum.id, std::int64_t(1), std::int64_t(0));
  std::optional<KeptEntry> entry;
  if (statement.step()) entry = KeptEntry{statement.number(0), statement.bytes(1)};
  statement.reset();
  return entry;
}

void Store::add_owner(Sum& sum, const Owner& owner) {
  auto& statement = statements_->add_owner.with(std::string_view(owner.channel), std::string_view(owner.language));
  if (statement.step()) sum.id = statement.number(0);
  statement.finish();
}

// A file that somebody changed by hand must not make numbers wrap around.
void Store::remove(Sum& sum, std::int64_t entry, std::uint64_t bytes) {
  statements_->remove.with(entry).finish();
  sum.entries -= std::min<std::uint64_t>(sum.entries, 1);
  sum.bytes -= std::min(sum.bytes, bytes);
  pending_ -= std::min(pending_, bytes);
}

// The oldest or the newest entry of an owner; false where there is none.
bool Store::remove_end(Sum& sum, Statement& which_end) {
  which_end.with(sum.id);
  const bool there = which_end.step();
  const auto id = there ? which_end.number(0) : 0;
  const auto bytes = there ? static_cast<std::uint64_t>(which_end.number(1)) : 0;
  which_end.reset();
  if (there) remove(sum, id, bytes);
  return there;
}

void Store::insert(Sum& sum, std::string_view text) {
  const std::uint64_t bytes = text.size() + entry_overhead;
  statements_->add.with(sum.id, static_cast<std::int64_t>(bytes), text).finish();
  ++sum.entries;
  sum.bytes += bytes;
  pending_ += bytes;
  // One channel alone must not push out everybody else's.
  const std::uint64_t most = std::max(bounds_.bytes / 4, bytes);
  while (sum.entries > bounds_.entries || sum.bytes > most) {
    if (!remove_end(sum, statements_->oldest)) break;
  }
}

// The oldest entries of all, as long as all together are too large.
void Store::push_out() {
  while (pending_ > bounds_.bytes) {
    auto& oldest = statements_->oldest_of_all.with();
    if (!oldest.step()) break;
    const auto id = oldest.number(0);
    const auto bytes = static_cast<std::uint64_t>(oldest.number(1));
    Sum sum{oldest.number(2), 1, bytes};
    oldest.reset();
    auto& statement = statements_->sum_of_owner.with(sum.id);
    if (statement.step()) {
      sum.entries = static_cast<std::uint64_t>(statement.number(1));
      sum.bytes = static_cast<std::uint64_t>(statement.number(2));
    }
    statement.reset();
    remove(sum, id, bytes);
    save(sum);
  }
}

bool Store::commit(const Owner& owner, std::optional<std::int64_t> expected, std::size_t drop,
                   const std::optional<std::string>& text) {
  Transaction transaction(database_);
  pending_ = total_;
  Sum sum = sum_of(owner);
  auto newest = newest_of(sum);
  if (expected && (newest ? newest->id : 0) != *expected) return false;
  bool changes = false;
  for (; drop > 0 && remove_end(sum, statements_->newest_size); --drop) changes = true;
  if (changes) newest = newest_of(sum);
  if (text && (!newest || newest->text != *text)) {
    if (sum.id == 0) add_owner(sum, owner);
    insert(sum, *text);
    changes = true;
  }
  if (!changes) return true;
  save(sum);
  push_out();
  transaction.commit();
  total_ = pending_;
  return true;
}

}  // namespace pbotvm::history
