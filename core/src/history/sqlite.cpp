// SPDX-License-Identifier: MIT
#include "history/sqlite.h"

#include <cstring>

namespace pbotvm::history {

namespace {

[[noreturn]] void fail(sqlite3* handle, const char* what) {
  const int code = handle == nullptr ? SQLITE_NOMEM : ::sqlite3_extended_errcode(handle);
  const std::string text =
      std::string(what) + ": " + (handle == nullptr ? ::sqlite3_errstr(code) : ::sqlite3_errmsg(handle));
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_ERROR:  // "no such table", "no such column": somebody else's database
    case SQLITE_MISMATCH:
    case SQLITE_CONSTRAINT:
    case SQLITE_SCHEMA:
      throw DamagedDatabase(text);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw DatabaseBusy(text);
    default:
      throw DatabaseError(text);
  }
}

constexpr const char* as_named = "pbotvm-history";

int copy_name(sqlite3_vfs* /*files*/, const char* name, int size, char* result) {
  const std::size_t length = std::strlen(name);
  if (length >= static_cast<std::size_t>(size)) return SQLITE_CANTOPEN;
  std::memcpy(result, name, length + 1);
  return SQLITE_OK;
}

// SQLite's own way to files, but for the names: it makes a relative one absolute and looks at each directory above,
// which fails where the host's user may not enter them. The working directory stays the same while a file is open.
const char* files_as_named() {
  static sqlite3_vfs files;
  static const bool registered = [] {
    const sqlite3_vfs* usual = ::sqlite3_vfs_find(nullptr);
    if (usual == nullptr) return false;
    files = *usual;
    files.pNext = nullptr;
    files.zName = as_named;
    files.xFullPathname = copy_name;
    return ::sqlite3_vfs_register(&files, 0) == SQLITE_OK;
  }();
  if (!registered) throw DatabaseError("SQLite has no access to files");
  return as_named;
}

}  // namespace

Database::Database(const std::string& path) {
  sqlite3* handle = nullptr;
  const int status =
      ::sqlite3_open_v2(path.c_str(), &handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, files_as_named());
  handle_.reset(handle);
  if (status != SQLITE_OK) fail(handle, "open");
  ::sqlite3_extended_result_codes(handle, 1);
}

void Database::run(const char* sql) {
  if (::sqlite3_exec(handle(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail(handle(), sql);
}

Statement::Statement(Database& database, const char* sql) {
  sqlite3_stmt* statement = nullptr;
  const int status = ::sqlite3_prepare_v3(database.handle(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (status != SQLITE_OK) fail(database.handle(), "prepare");
  statement_.reset(statement);
}

bool Statement::step() {
  const int status = ::sqlite3_step(statement_.get());
  if (status == SQLITE_ROW) return true;
  if (status == SQLITE_DONE) return false;
  auto* handle = ::sqlite3_db_handle(statement_.get());
  try {
    fail(handle, "read or write");
  } catch (...) {
    reset();  // an unfinished statement would keep its locks
    throw;
  }
}

void Statement::finish() {
  while (step()) {
  }
  reset();
}

std::int64_t Statement::number(int column) {
  return ::sqlite3_column_int64(statement_.get(), column);
}

std::string Statement::bytes(int column) {
  const auto* data = static_cast<const char*>(::sqlite3_column_blob(statement_.get(), column));
  const auto size = static_cast<std::size_t>(::sqlite3_column_bytes(statement_.get(), column));
  return data == nullptr ? std::string() : std::string(data, size);
}

void Statement::reset() {
  ::sqlite3_reset(statement_.get());
  ::sqlite3_clear_bindings(statement_.get());
}

void Statement::bind(int place, std::int64_t number) {
  if (::sqlite3_bind_int64(statement_.get(), place, number) != SQLITE_OK) {
    fail(::sqlite3_db_handle(statement_.get()), "bind a number");
  }
}

void Statement::bind(int place, std::string_view bytes) {
  // A null pointer would be bound as NULL.
  const char* data = bytes.empty() ? "" : bytes.data();
  if (::sqlite3_bind_blob64(statement_.get(), place, data, bytes.size(), SQLITE_STATIC) != SQLITE_OK) {
    fail(::sqlite3_db_handle(statement_.get()), "bind a text");
  }
}

Transaction::Transaction(Database& database) : database_(database) {
  database_.run("BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  // Some failures have rolled back already.
  if (open_ && ::sqlite3_get_autocommit(database_.handle()) == 0) {
    ::sqlite3_exec(database_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

void Transaction::commit() {
  database_.run("COMMIT");
  open_ = false;
}

}  // namespace pbotvm::history
