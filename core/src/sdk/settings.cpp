// SPDX-License-Identifier: MIT
#include "pbotvm/settings.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>

PBOTVM_BEGIN_NAMESPACE

namespace {

constexpr std::size_t max_document_bytes = 1024 * 1024;
constexpr std::size_t max_nodes = 100'000;  // with every use of an anchor counted, so that aliases cannot explode
constexpr std::size_t max_shown = 60;       // bytes of a wrong value that a complaint repeats

std::string place(const std::string& origin, const YAML::Mark& mark) {
  if (mark.is_null()) return origin;
  return origin + ":" + std::to_string(mark.line + 1) + ":" + std::to_string(mark.column + 1);
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string shortened(const std::string& text) {
  std::string shown = text.substr(0, max_shown);
  std::replace_if(
      shown.begin(), shown.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  return "'" + shown + (text.size() > max_shown ? "...'" : "'");
}

std::string number_text(double value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

// A complaint shows what was written, and that may be anything.
std::string one_line(std::string text) {
  for (char& byte : text)
    if (static_cast<unsigned char>(byte) < ' ' || byte == 0x7f) byte = '?';
  return text;
}

}  // namespace

ConfigurationError::ConfigurationError(const std::string& position, const std::string& problem)
    : Error(ErrorCode::configuration, one_line(position + ": error: " + problem)) {}

ConfigurationError::~ConfigurationError() = default;

// The document is copied into nodes of our own: yaml-cpp's keep the last of two equal keys in silence.
struct Settings::Node {
  enum class Kind { null, scalar, sequence, mapping };
  using Pointer = std::shared_ptr<Node>;  // shared: aliases, and views that outlive the rest of the document

  Kind kind = Kind::null;
  std::string position;
  std::string scalar;
  bool quoted = false;  // written in quotes: a text, whatever it looks like
  std::vector<Pointer> items;
  std::vector<std::pair<Pointer, Pointer>> entries;  // key, value
  std::size_t weight = 1;

  class Builder;

  std::string found() const {
    switch (kind) {
      case Kind::null:
        return "nothing";
      case Kind::scalar:
        return quoted ? "the quoted text " + shortened(scalar) : shortened(scalar);
      case Kind::sequence:
        return "a list";
      case Kind::mapping:
        return "a map";
    }
    return {};
  }
};

/// Makes nodes of the parser's events; throws ConfigurationError.
class Settings::Node::Builder : public YAML::EventHandler {
 public:
  explicit Builder(std::string origin) : origin_(std::move(origin)) {}

  Pointer root() const { return root_; }
  const std::string& origin() const { return origin_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (std::exchange(started_, true))
      fail(mark, "found a second document, or something behind the end of the first one");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    complete(make(Kind::null, mark, {}), anchor, mark);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto known = anchors_.find(anchor);
    if (known == anchors_.end()) fail(mark, "found an alias of something that is not complete yet");
    complete(known->second, 0, mark);
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    if (value.find('\0') != std::string::npos) fail(mark, "found a text with a zero byte, which nothing accepts");
    auto node = make(Kind::scalar, mark, tag);
    node->scalar = value;
    node->quoted = tag != "?";
    complete(std::move(node), anchor, mark);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(make(Kind::sequence, mark, tag), anchor, mark);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(make(Kind::mapping, mark, tag), anchor, mark);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    Pointer node;
    Pointer key;  // of a mapping, while its value is awaited
    YAML::anchor_t anchor;
    YAML::Mark mark;
  };

  [[noreturn]] void fail(const YAML::Mark& mark, const std::string& problem) const {
    throw ConfigurationError(place(origin_, mark), problem);
  }

  Pointer make(Kind kind, const YAML::Mark& mark, const std::string& tag) const {
    if (!tag.empty() && tag != "?" && tag != "!" && tag != "tag:yaml.org,2002:str")
      fail(mark, "found the tag " + shortened(tag) + ", no tag but !!str is accepted");
    auto node = std::make_shared<Node>();
    node->kind = kind;
    node->position = place(origin_, mark);
    return node;
  }

  void open(Pointer node, YAML::anchor_t anchor, const YAML::Mark& mark) {
    if (!open_.empty() && awaits_key()) fail(mark, "found " + node->found() + " as a key, a text is accepted");
    open_.push_back({std::move(node), nullptr, anchor, mark});
  }

  void close() {
    const Open closed = std::move(open_.back());
    open_.pop_back();
    complete(closed.node, closed.anchor, closed.mark);
  }

  bool awaits_key() const { return open_.back().node->kind == Kind::mapping && !open_.back().key; }

  void complete(Pointer node, YAML::anchor_t anchor, const YAML::Mark& mark) {
    if (anchor != 0) anchors_[anchor] = node;
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    parent.node->weight += node->weight;
    if (parent.node->weight > max_nodes) fail(mark, "found more than " + std::to_string(max_nodes) + " values");
    if (parent.node->kind == Kind::sequence)
      parent.node->items.push_back(std::move(node));
    else if (!parent.key)
      parent.key = accept_key(*parent.node, std::move(node), mark);
    else
      add_value(parent, std::move(node));
  }

  Pointer accept_key(const Node& mapping, Pointer key, const YAML::Mark& mark) const {
    if (key->kind != Kind::scalar) fail(mark, "found " + key->found() + " as a key, a text is accepted");
    if (key->scalar == "<<" && !key->quoted)
      fail(mark, "found a merge key '<<', which is not accepted; write the keys out");
    for (const auto& [other, value] : mapping.entries)
      if (other->scalar == key->scalar)
        fail(mark, "duplicate key " + shortened(key->scalar) + ", which already stands at " + other->position);
    return key;
  }

  // The parser gives an absent value the place of whatever comes next; its key is where a person has to look.
  static void add_value(Open& parent, Pointer value) {
    if (value->kind == Kind::null) {
      value = std::make_shared<Node>(*value);
      value->position = parent.key->position;
    }
    parent.node->entries.emplace_back(std::exchange(parent.key, nullptr), std::move(value));
  }

  std::string origin_;
  bool started_ = false;
  Pointer root_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, Pointer> anchors_;
};

Settings::Settings(std::shared_ptr<const Node> node) : node_(std::move(node)) {}

Settings::Settings(std::string origin) {
  auto node = std::make_shared<Node>();
  node->kind = Node::Kind::mapping;
  node->position = std::move(origin);
  node_ = std::move(node);
}

Settings Settings::scalar(std::string value, std::string origin) {
  auto node = std::make_shared<Node>();
  node->kind = Node::Kind::scalar;
  node->scalar = std::move(value);
  node->position = std::move(origin);
  return Settings(std::shared_ptr<const Node>(std::move(node)));
}

Settings Settings::load(const std::filesystem::path& file) {
  return load(file, file.string());
}

Settings Settings::load(const std::filesystem::path& file, const std::string& origin) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw ConfigurationError(origin, errno_text("cannot be opened", errno));
  std::string text(max_document_bytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad()) throw ConfigurationError(origin, errno_text("cannot be read", errno));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return parse(text, origin);
}

Settings Settings::parse(const std::string& text, const std::string& origin) {
  if (text.size() > max_document_bytes)
    throw ConfigurationError(origin, "larger than 1 MiB, which is the most that is accepted");
  Node::Builder builder(origin);
  try {
    std::istringstream in(text);
    YAML::Parser parser(in);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    throw ConfigurationError(place(origin, error.mark), "not valid YAML: " + error.msg);
  }
  if (builder.root()) return Settings(std::shared_ptr<const Node>(builder.root()));
  return Settings(origin + ":1:1");
}

bool Settings::is_null() const {
  return node_->kind == Node::Kind::null;
}
bool Settings::is_scalar() const {
  return node_->kind == Node::Kind::scalar;
}
bool Settings::is_sequence() const {
  return node_->kind == Node::Kind::sequence;
}
bool Settings::is_mapping() const {
  return node_->kind == Node::Kind::mapping;
}
std::string Settings::position() const {
  return node_->position;
}

void Settings::fail(const std::string& problem) const {
  throw ConfigurationError(node_->position, problem);
}

std::vector<std::pair<std::string, Settings>> Settings::entries() const {
  if (!is_mapping() && !is_null()) fail("found " + node_->found() + ", a map of keys and values is accepted");
  std::vector<std::pair<std::string, Settings>> result;
  for (const auto& [name, value] : node_->entries) result.emplace_back(name->scalar, Settings(value));
  return result;
}

std::optional<Settings> Settings::find(std::string_view key) const {
  if (!is_mapping() && !is_null()) fail("found " + node_->found() + ", a map of keys and values is accepted");
  for (const auto& [name, value] : node_->entries)
    if (name->scalar == key) return Settings(value);
  return std::nullopt;
}

std::vector<Settings> Settings::items() const {
  if (!is_sequence()) fail("found " + node_->found() + ", a list is accepted");
  std::vector<Settings> result;
  for (const auto& item : node_->items) result.push_back(Settings(item));
  return result;
}

Settings Settings::without(std::string_view key) const {
  auto rest = std::make_shared<Node>(*node_);
  std::erase_if(rest->entries, [key](const auto& entry) { return entry.first->scalar == key; });
  return Settings(std::shared_ptr<const Node>(std::move(rest)));
}

Settings Settings::key(std::string_view key) const {
  for (const auto& [name, value] : node_->entries)
    if (name->scalar == key) return Settings(name);
  return *this;
}

void Settings::accept_only(std::initializer_list<std::string_view> known) const {
  accept_only(std::vector<std::string>(known.begin(), known.end()));
}

void Settings::accept_only(const std::vector<std::string>& known) const {
  for (const auto& [name, value] : entries()) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const std::string near = nearest(name, known);
    key(name).fail("unknown key " + shortened(name) +
                   (known.empty() ? ", no key is accepted here" : ", accepted are " + joined(known)) +
                   (near.empty() ? "" : "; did you mean '" + near + "'?"));
  }
}

std::string Settings::text() const {
  if (!is_scalar()) fail("found " + node_->found() + ", a text is accepted");
  return node_->scalar;
}

bool Settings::boolean() const {
  if (is_scalar() && !node_->quoted) {
    if (node_->scalar == "true") return true;
    if (node_->scalar == "false") return false;
  }
  fail("found " + node_->found() + ", true or false is accepted");
}

std::int64_t Settings::integer(std::int64_t low, std::int64_t high) const {
  std::int64_t value = 0;
  const std::string& digits = node_->scalar;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (!is_scalar() || node_->quoted || digits.empty() || error != std::errc() || end != digits.data() + digits.size() ||
      value < low || value > high)
    fail("found " + node_->found() + ", a whole number from " + std::to_string(low) + " to " + std::to_string(high) +
         " is accepted");
  return value;
}

double Settings::number(double low, double high) const {
  double value = 0;
  const std::string& digits = node_->scalar;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::fixed);
  if (!is_scalar() || node_->quoted || digits.empty() || error != std::errc() || end != digits.data() + digits.size() ||
      !std::isfinite(value) || value < low || value > high)
    fail("found " + node_->found() + ", a number from " + number_text(low) + " to " + number_text(high) +
         " is accepted");
  return value;
}

namespace {

/// 256, 256 KiB, 256KiB; nothing where it is neither, or too large to be counted.
std::optional<std::uint64_t> parse_bytes(const std::string& text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc()) return std::nullopt;
  std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (unit.size() > 1 && unit.front() == ' ') unit.remove_prefix(1);
  const std::map<std::string_view, unsigned> shifts = {{"", 0}, {"KiB", 10}, {"MiB", 20}, {"GiB", 30}};
  const auto shift = shifts.find(unit);
  if (shift == shifts.end() || value > (UINT64_MAX >> shift->second)) return std::nullopt;
  return value << shift->second;
}

}  // namespace

std::uint64_t Settings::bytes(std::uint64_t low, std::uint64_t high) const {
  const auto value = is_scalar() ? parse_bytes(node_->scalar) : std::nullopt;
  if (!value || *value < low || *value > high)
    fail("found " + node_->found() + ", a number of bytes from " + std::to_string(low) + " to " + std::to_string(high) +
         " is accepted, or a number of KiB, MiB or GiB such as '256 KiB'");
  return *value;
}

std::string Settings::text(std::string_view key, const std::string& fallback) const {
  const auto child = find(key);
  return child ? child->text() : fallback;
}

bool Settings::boolean(std::string_view key, bool fallback) const {
  const auto child = find(key);
  return child ? child->boolean() : fallback;
}

std::int64_t Settings::integer(std::string_view key, std::int64_t fallback, std::int64_t low, std::int64_t high) const {
  const auto child = find(key);
  return child ? child->integer(low, high) : fallback;
}

std::uint64_t Settings::bytes(std::string_view key, std::uint64_t fallback, std::uint64_t low,
                              std::uint64_t high) const {
  const auto child = find(key);
  return child ? child->bytes(low, high) : fallback;
}

std::vector<std::string> Settings::texts(std::string_view key, const std::vector<std::string>& fallback) const {
  const auto child = find(key);
  if (!child) return fallback;
  if (child->is_scalar()) return {child->text()};
  std::vector<std::string> result;
  for (const auto& item : child->items()) result.push_back(item.text());
  return result;
}

namespace {

char folded(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

/// Insertions, deletions, replacements and swaps of neighbours that lead from one word to the other; case is free.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i)
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const bool same = folded(a[i - 1]) == folded(b[j - 1]);
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && folded(a[i - 1]) == folded(b[j - 2]) && folded(a[i - 2]) == folded(b[j - 1]))
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  return cost[a.size()][b.size()];
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  constexpr std::size_t longest = 100;  // bytes: nobody mistypes more, and the cost is quadratic
  std::string best;
  std::size_t best_distance = SIZE_MAX;
  if (word.size() > longest) return best;
  for (const auto& candidate : candidates) {
    if (candidate.size() > longest) continue;
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance && distance * 3 <= std::max(word.size(), candidate.size())) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

PBOTVM_END_NAMESPACE
