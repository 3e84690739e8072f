// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pbotvm/error.h"

PBOTVM_BEGIN_NAMESPACE

/// A mistake in something the operator wrote. what() is "FILE:LINE:COLUMN: error: found, accepted, nearest known key",
/// or "NAME: error: ..." for an environment variable. Leads to exit status 78 at start-up.
class PBOTVM_EXPORT ConfigurationError : public Error {
 public:
  ConfigurationError(const std::string& position, const std::string& problem);
  ~ConfigurationError() override;
};

/// A checked view of one node of a YAML document that knows where it stands, so that every complaint names the place.
/// Cheap to copy; the document lives as long as any view of it. One thread at a time.
class PBOTVM_EXPORT Settings {
 public:
  /// An empty mapping that belongs to no file; `origin` names it in complaints.
  explicit Settings(std::string origin = "built-in default");
  /// Parses a file or a text. A duplicate key, more than one document, anchors' merge keys or broken YAML throw
  /// ConfigurationError. Sizes are bounded (1 MiB).
  static Settings load(const std::filesystem::path& file);
  /// The same of a file that complaints call by another name.
  static Settings load(const std::filesystem::path& file, const std::string& origin);
  static Settings parse(const std::string& text, const std::string& origin);
  /// A scalar that belongs to no file, an environment variable or an option, which `origin` names in complaints.
  static Settings scalar(std::string value, std::string origin);

  bool is_null() const;
  bool is_scalar() const;
  bool is_sequence() const;
  bool is_mapping() const;
  std::string position() const;  ///< "FILE:LINE:COLUMN", both counted from 1

  /// Throws ConfigurationError at this node.
  [[noreturn]] void fail(const std::string& problem) const;

  /// Children. `entries` and `find` demand a mapping (null counts as an empty one), `items` a sequence.
  std::vector<std::pair<std::string, Settings>> entries() const;
  std::optional<Settings> find(std::string_view key) const;
  std::vector<Settings> items() const;
  /// This mapping without one of its keys.
  Settings without(std::string_view key) const;
  /// The view of a mapping's key itself, for complaints about the key rather than its value.
  Settings key(std::string_view key) const;

  /// Throws at the first key that is not among `known`, naming the nearest one.
  void accept_only(std::initializer_list<std::string_view> known) const;
  void accept_only(const std::vector<std::string>& known) const;

  /// The scalar as a type; throws with what was found and what is accepted. Text is any scalar but null. Booleans are
  /// true and false only. Numbers are decimal. Bytes take a plain number or one with KiB, MiB or GiB.
  std::string text() const;
  bool boolean() const;
  std::int64_t integer(std::int64_t low, std::int64_t high) const;
  double number(double low, double high) const;
  std::uint64_t bytes(std::uint64_t low, std::uint64_t high) const;

  /// The child's value, or `fallback` where the key is absent.
  std::string text(std::string_view key, const std::string& fallback) const;
  bool boolean(std::string_view key, bool fallback) const;
  std::int64_t integer(std::string_view key, std::int64_t fallback, std::int64_t low, std::int64_t high) const;
  std::uint64_t bytes(std::string_view key, std::uint64_t fallback, std::uint64_t low, std::uint64_t high) const;
  /// A sequence of texts, or one text as a sequence of one.
  std::vector<std::string> texts(std::string_view key, const std::vector<std::string>& fallback) const;

 private:
  struct Node;
  explicit Settings(std::shared_ptr<const Node> node);
  std::shared_ptr<const Node> node_;  // shared: views of one parsed document
};

/// The candidate with the smallest edit distance to `word`, empty when none is near (more than a third of its length).
PBOTVM_EXPORT std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

PBOTVM_END_NAMESPACE
