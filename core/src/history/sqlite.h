// SPDX-License-Identifier: MIT
#pragma once

// As much of SQLite (https://www.sqlite.org/cinterface.html) as a history needs, with exceptions and owners.

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace pbotvm::history {

/// A call of SQLite's that failed: a full or read-only disk, a file that cannot be opened, a lock that stays.
class DatabaseError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Another process has it locked for longer than a request waits.
class DatabaseBusy : public DatabaseError {
 public:
  using DatabaseError::DatabaseError;
};

/// What the file holds is no database, or not this one.
class DamagedDatabase : public DatabaseError {
 public:
  using DatabaseError::DatabaseError;
};

/// One connection. Not for two threads at one time.
class Database {
 public:
  /// Opens the file, which must be there. Throws DatabaseError.
  explicit Database(const std::string& path);

  /// Runs statements that take and return nothing. Throws DatabaseError.
  void run(const char* sql);

  sqlite3* handle() const { return handle_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* handle) const { ::sqlite3_close_v2(handle); }
  };
  std::unique_ptr<sqlite3, Close> handle_;
};

/// A prepared statement. Usage: bind what it takes, from the first on; step through what it returns; reset. Borrows the
/// database. All of it throws DatabaseError.
class Statement {
 public:
  Statement(Database& database, const char* sql);

  /// Values in the order of the statement's question marks. A text is bound as bytes, and must stay until reset().
  template <typename... Values>
  Statement& with(const Values&... values) {
    reset();
    int place = 0;
    (bind(++place, values), ...);
    return *this;
  }

  /// True: there is a row, whose columns can be read until the next call.
  bool step();

  /// Steps to the end, for who wants no rows.
  void finish();

  std::int64_t number(int column);
  std::string bytes(int column);
  void reset();

 private:
  void bind(int place, std::int64_t number);
  void bind(int place, std::string_view bytes);

  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { ::sqlite3_finalize(statement); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// A write that happens whole or not at all: rolled back unless committed.
class Transaction {
 public:
  explicit Transaction(Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  void commit();

 private:
  Database& database_;
  bool open_ = true;
};

}  // namespace pbotvm::history
