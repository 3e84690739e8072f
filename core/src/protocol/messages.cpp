// SPDX-License-Identifier: MIT
#include "protocol/messages.h"

#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "protocol/json_shape.h"

namespace pbotvm::protocol {
namespace {

using Json = nlohmann::json;
using std::chrono::microseconds;
using std::chrono::milliseconds;

// Bounds of what a message may hold, beside those of the header.
constexpr JsonBounds bounds{8, 100'000};
constexpr std::size_t max_text = 16 * 1024;  // of a text that is meant for people
constexpr std::size_t max_name = 255;        // of one part of a path, and of a program
constexpr std::size_t max_path = 4095;       // as Linux bounds them
constexpr std::size_t max_patterns = 64;
constexpr std::size_t max_left_behind = 64;
constexpr std::size_t max_tools = 1024;
constexpr std::size_t seed_size = 32;
constexpr std::size_t max_seed_size = 256;
constexpr std::int64_t max_milliseconds = 7LL * 24 * 3600 * 1000;
constexpr std::int64_t max_microseconds = max_milliseconds * 1000;
constexpr std::uint64_t max_bytes = 1ULL << 48;
constexpr std::uint32_t max_count = 1u << 22;

[[noreturn]] void fail(const std::string& field, const std::string& problem) {
  throw MessageError(field + ": " + problem);
}

// ---- reading

Json parse(std::string_view text, std::size_t limit) {
  if (text.size() > limit) fail("message", "longer than " + std::to_string(limit) + " bytes");
  if (const auto flaw = flaw_of_shape(text, bounds); !flaw.empty()) fail("message", std::string(flaw));
  Json value = Json::parse(text, nullptr, false);
  if (value.is_discarded()) fail("message", "not JSON");
  if (!value.is_object()) fail("message", "not a JSON object");
  return value;
}

const Json* child(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

std::string text_of(const Json& value, const char* field, std::size_t limit) {
  if (!value.is_string()) fail(field, "not a string");
  const auto& text = value.get_ref<const std::string&>();
  if (text.size() > limit) fail(field, "longer than " + std::to_string(limit) + " bytes");
  return text;
}

std::string text_in(const Json& object, const char* key, std::size_t limit = max_text) {
  const Json* value = child(object, key);
  return value ? text_of(*value, key, limit) : std::string();
}

// What becomes a C string: a NUL would cut it short behind everyone's back.
std::string c_text_of(const Json& value, const char* field, std::size_t limit) {
  std::string text = text_of(value, field, limit);
  if (text.find('\0') != text.npos) fail(field, "contains a NUL");
  return text;
}

template <typename Number>
Number number_in(const Json& object, const char* key, std::type_identity_t<Number> low,
                 std::type_identity_t<Number> high) {
  const Json* value = child(object, key);
  if (!value) return 0;
  if (!value->is_number_integer()) fail(key, "not an integer");
  if (value->is_number_unsigned()) {
    const auto number = value->get<std::uint64_t>();
    if (number <= static_cast<std::uint64_t>(high) && (low <= 0 || number >= static_cast<std::uint64_t>(low))) {
      return static_cast<Number>(number);
    }
  } else if constexpr (std::is_signed_v<Number>) {
    const auto number = value->get<std::int64_t>();
    if (number >= low && number <= high) return static_cast<Number>(number);
  }
  fail(key, "out of range");
}

bool boolean_in(const Json& object, const char* key) {
  const Json* value = child(object, key);
  if (!value) return false;
  if (!value->is_boolean()) fail(key, "neither true nor false");
  return value->get<bool>();
}

const Json& array_in(const Json& object, const char* key, std::size_t limit) {
  static const Json none = Json::array();
  const Json* value = child(object, key);
  if (!value) return none;
  if (!value->is_array()) fail(key, "not an array");
  if (value->size() > limit) fail(key, "more than " + std::to_string(limit) + " entries");
  return *value;
}

const Json& object_of(const Json& value, const char* field) {
  if (!value.is_object()) fail(field, "not an object");
  return value;
}

std::vector<std::string> c_texts_in(const Json& object, const char* key, std::size_t count, std::size_t limit) {
  std::vector<std::string> texts;
  for (const Json& value : array_in(object, key, count)) texts.push_back(c_text_of(value, key, limit));
  return texts;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

std::string from_hex(std::string_view text) {
  if (text.size() % 2 != 0) fail("seed", "an odd number of hexadecimal digits");
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) fail("seed", "not hexadecimal in lower case");
    bytes.push_back(static_cast<char>(high * 16 + low));
  }
  return bytes;
}

std::string to_hex(std::string_view bytes) {
  static constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bytes) {
    text.push_back(digits[byte >> 4]);
    text.push_back(digits[byte & 15]);
  }
  return text;
}

// Relative, and every part a plain name: it cannot lead out of the job's directory.
void check_path(std::string_view path) {
  if (path.empty() || path.size() > max_path) fail("path", "empty or longer than 4095 bytes");
  if (path.find('\0') != path.npos) fail("path", "contains a NUL");
  if (path.front() == '/') fail("path", "absolute");
  while (true) {
    const auto slash = path.find('/');
    const auto part = path.substr(0, slash);
    if (part.empty() || part == "." || part == "..") fail("path", "has an empty part, '.' or '..'");
    if (part.size() > max_name) fail("path", "has a part longer than 255 bytes");
    if (slash == path.npos) return;
    path.remove_prefix(slash + 1);
  }
}

// ---- writing

std::string dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// A job must arrive as it was planned: bytes that are no UTF-8 are an error there, not replaced.
std::string dump_exactly(const Json& value) {
  try {
    return value.dump();
  } catch (const Json::exception&) {
    throw MessageError("job: a text that is not UTF-8");
  }
}

template <typename Value>
void put(Json& object, const char* key, const Value& value) {
  if (!(value == Value())) object[key] = value;
}

// ---- names

constexpr std::array<std::string_view, 8> limit_names = {"none",      "wall",   "cpu",       "memory",
                                                         "processes", "output", "file_size", "cancelled"};
constexpr std::array<std::string_view, 3> when_names = {"always", "after_success", "after_crash"};

When when_in(const Json& object) {
  const Json* value = child(object, "when");
  if (!value) return When::after_success;
  const std::string name = text_of(*value, "when", max_text);
  for (std::size_t i = 0; i < when_names.size(); ++i) {
    if (when_names[i] == name) return static_cast<When>(i);
  }
  fail("when", "unknown");
}

// ---- parts of a job

Json encode_limits(const Limits& limits) {
  Json value = Json::object();
  put(value, "wall_ms", limits.wall.count());
  put(value, "cpu_ms", limits.cpu.count());
  put(value, "output", limits.output);
  put(value, "memory", limits.memory);
  put(value, "processes", limits.processes);
  put(value, "file_size", limits.file_size);
  put(value, "open_files", limits.open_files);
  return value;
}

Limits decode_limits(const Json& object) {
  Limits limits;
  limits.wall = milliseconds(number_in<std::int64_t>(object, "wall_ms", 0, max_milliseconds));
  limits.cpu = milliseconds(number_in<std::int64_t>(object, "cpu_ms", 0, max_milliseconds));
  limits.output = number_in<std::uint64_t>(object, "output", 0, max_bytes);
  limits.memory = number_in<std::uint64_t>(object, "memory", 0, max_bytes);
  limits.processes = number_in<std::uint32_t>(object, "processes", 0, max_count);
  limits.file_size = number_in<std::uint64_t>(object, "file_size", 0, max_bytes);
  limits.open_files = number_in<std::uint32_t>(object, "open_files", 0, max_count);
  return limits;
}

Json encode_step(const Step& step) {
  Json value = {{"argv", step.argv}};
  put(value, "label", step.label);
  if (!step.environment.empty()) value["env"] = step.environment;
  put(value, "input", step.reads_input);
  if (step.when != When::after_success) value["when"] = when_names[static_cast<std::size_t>(step.when)];
  return value;
}

std::vector<std::pair<std::string, std::string>> decode_environment(const Json& object) {
  std::vector<std::pair<std::string, std::string>> environment;
  for (const Json& entry : array_in(object, "env", max_arguments)) {
    if (!entry.is_array() || entry.size() != 2) fail("env", "not a pair of strings");
    auto name = c_text_of(entry[0], "env", max_argument);
    if (name.empty() || name.find('=') != name.npos) fail("env", "a name that is empty or contains '='");
    environment.emplace_back(std::move(name), c_text_of(entry[1], "env", max_argument));
  }
  return environment;
}

Step decode_job_step(const Json& object) {
  Step step;
  step.argv = c_texts_in(object, "argv", max_arguments, max_argument);
  if (step.argv.empty() || step.argv.front().empty()) fail("argv", "names no program");
  step.label = text_in(object, "label");
  step.environment = decode_environment(object);
  step.reads_input = boolean_in(object, "input");
  step.when = when_in(object);
  return step;
}

/// Files without their content, as a job announces them and a guest takes them back.
struct FileList {
  std::vector<JobFile> files;
  std::vector<std::uint64_t> sizes;
};

FileList decode_files(const Json& object, std::size_t most, std::uint64_t most_bytes) {
  FileList list;
  std::uint64_t total = 0;
  std::set<std::string> paths;
  for (const Json& value : array_in(object, "files", most)) {
    object_of(value, "files");
    JobFile file;
    file.path = text_in(value, "path");
    check_path(file.path);
    if (!paths.insert(file.path).second) fail("path", "named twice");
    if (child(value, "mode")) file.mode = number_in<std::uint32_t>(value, "mode", 0, 0777);
    const auto size = number_in<std::uint64_t>(value, "size", 0, most_bytes);
    total += size;
    if (total > most_bytes) fail("size", "files larger than " + std::to_string(most_bytes) + " bytes together");
    list.files.push_back(std::move(file));
    list.sizes.push_back(size);
  }
  return list;
}

Json encode_file(const JobFile& file, std::uint64_t size) {
  Json entry = {{"path", file.path}};
  put(entry, "size", size);
  if (file.mode != JobFile().mode) entry["mode"] = file.mode;
  return entry;
}

// Absolute patterns and those with ".." could match nothing that may be taken.
void check_pattern(std::string_view pattern) {
  if (pattern.size() > max_path) fail("collect", "a pattern longer than 4095 bytes");
  check_path(pattern);
}

Collection decode_collection(const Json& object) {
  Collection collection;
  collection.patterns = c_texts_in(object, "patterns", max_patterns, max_path);
  for (const auto& pattern : collection.patterns) check_pattern(pattern);
  collection.files = number_in<std::uint32_t>(object, "files", 0, max_collected_files);
  collection.bytes = number_in<std::uint64_t>(object, "bytes", 0, max_collected_bytes);
  return collection;
}

Json encode_collection(const Collection& collection) {
  Json value = {{"patterns", collection.patterns}};
  put(value, "files", collection.files);
  put(value, "bytes", collection.bytes);
  return value;
}

Limit limit_in(const Json& object) {
  const Json* name = child(object, "limit");
  if (!name) return Limit::none;
  const auto limit = limit_from_name(text_of(*name, "limit", max_text));
  if (!limit) fail("limit", "unknown");
  return *limit;
}

template <typename Number>
void append_number(std::string& to, Number value) {
  for (int shift = static_cast<int>(sizeof(Number)) * 8 - 8; shift >= 0; shift -= 8) {
    to.push_back(static_cast<char>((value >> shift) & 0xff));
  }
}

std::uint32_t read_u32(std::string_view payload) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(payload[i]);
  return value;
}

}  // namespace

std::string_view limit_name(Limit limit) {
  const auto index = static_cast<std::size_t>(limit);
  return index < limit_names.size() ? limit_names[index] : limit_names[0];
}

std::optional<Limit> limit_from_name(std::string_view name) {
  for (std::size_t i = 0; i < limit_names.size(); ++i) {
    if (limit_names[i] == name) return static_cast<Limit>(i);
  }
  return std::nullopt;
}

std::string encode(const Hello& hello) {
  Json value = {{"time_ns", hello.time_ns}, {"seed", to_hex(hello.seed)}};
  put(value, "tools", hello.tools);
  if (hello.slots != 1) value["slots"] = hello.slots;
  put(value, "network", hello.network);
  return dump(value);
}

Hello decode_hello(std::string_view text) {
  const Json value = parse(text, max_small_message);
  Hello hello;
  if (!child(value, "time_ns")) fail("time_ns", "missing");
  hello.time_ns = number_in<std::int64_t>(value, "time_ns", 0, std::numeric_limits<std::int64_t>::max());
  hello.seed = from_hex(text_in(value, "seed", max_seed_size * 2));
  if (hello.seed.size() < seed_size) fail("seed", "shorter than 32 bytes");
  hello.tools = c_texts_in(value, "tools", max_tools, max_name);
  if (child(value, "slots")) hello.slots = number_in<std::uint32_t>(value, "slots", 1, max_slots);
  hello.network = boolean_in(value, "network");
  return hello;
}

std::string encode(const Welcome& welcome) {
  Json value = {{"version", welcome.version}};
  for (const Containment& piece : welcome.containment) {
    Json entry = {{"name", piece.name}};
    put(entry, "given", piece.given);
    put(entry, "why", piece.why);
    value["containment"].push_back(std::move(entry));
  }
  put(value, "tools", welcome.tools);
  if (welcome.slots != 1) value["slots"] = welcome.slots;
  return dump(value);
}

Welcome decode_welcome(std::string_view text) {
  const Json value = parse(text, max_small_message);
  Welcome welcome;
  welcome.version = text_in(value, "version", max_name);
  for (const Json& entry : array_in(value, "containment", max_tools)) {
    object_of(entry, "containment");
    welcome.containment.push_back(
        {text_in(entry, "name", max_name), boolean_in(entry, "given"), text_in(entry, "why")});
  }
  welcome.tools = c_texts_in(value, "tools", max_tools, max_name);
  if (child(value, "slots")) welcome.slots = number_in<std::uint32_t>(value, "slots", 1, max_slots);
  return welcome;
}

std::string encode(const Job& job) {
  Json value = Json::object();
  for (const JobFile& file : job.files) value["files"].push_back(encode_file(file, file.content.size()));
  put(value, "directories", job.directories);
  for (const Step& step : job.steps) value["steps"].push_back(encode_step(step));
  put(value, "input", job.input.size());
  Json limits = encode_limits(job.limits);
  if (!limits.empty()) value["limits"] = std::move(limits);
  if (!job.collection.patterns.empty()) value["collect"] = encode_collection(job.collection);
  return dump_exactly(value);
}

AnnouncedJob decode_job(std::string_view text) {
  const Json value = parse(text, max_message);
  AnnouncedJob announced;
  auto list = decode_files(value, max_job_files, max_file_bytes);
  announced.job.files = std::move(list.files);
  announced.file_sizes = std::move(list.sizes);
  announced.job.directories = c_texts_in(value, "directories", max_job_files, max_path);
  for (const auto& path : announced.job.directories) check_path(path);
  for (const Json& step : array_in(value, "steps", max_steps)) {
    announced.job.steps.push_back(decode_job_step(object_of(step, "steps")));
  }
  if (announced.job.steps.empty()) fail("steps", "none");
  announced.input_size_hint = number_in<std::uint64_t>(value, "input", 0, max_bytes);
  if (const Json* limits = child(value, "limits")) announced.job.limits = decode_limits(object_of(*limits, "limits"));
  if (const Json* collect = child(value, "collect")) {
    announced.job.collection = decode_collection(object_of(*collect, "collect"));
  }
  return announced;
}

std::string encode(const StepResult& result) {
  Json value = Json::object();
  put(value, "step", result.step);
  put(value, "label", result.label);
  put(value, "exit", result.exit_code);
  put(value, "signal", result.signal);
  put(value, "error", result.error);
  put(value, "wall_us", result.wall.count());
  put(value, "user_us", result.user.count());
  put(value, "system_us", result.system.count());
  put(value, "memory", result.peak_memory);
  if (result.limit != Limit::none) value["limit"] = limit_name(result.limit);
  put(value, "cut", result.bytes_cut);
  return dump(value);
}

StepResult decode_step(std::string_view text) {
  const Json value = parse(text, max_small_message);
  StepResult result;
  result.step = number_in<std::uint32_t>(value, "step", 0, max_steps - 1);
  result.label = text_in(value, "label");
  result.exit_code = number_in<std::int32_t>(value, "exit", 0, 255);
  result.signal = number_in<std::int32_t>(value, "signal", 0, 127);
  result.error = text_in(value, "error");
  result.wall = microseconds(number_in<std::int64_t>(value, "wall_us", 0, max_microseconds));
  result.user = microseconds(number_in<std::int64_t>(value, "user_us", 0, max_microseconds));
  result.system = microseconds(number_in<std::int64_t>(value, "system_us", 0, max_microseconds));
  result.peak_memory = number_in<std::uint64_t>(value, "memory", 0, max_bytes);
  result.limit = limit_in(value);
  result.bytes_cut = number_in<std::uint64_t>(value, "cut", 0, max_bytes);
  return result;
}

std::string encode(const Collected& collected) {
  Json value = Json::object();
  for (std::size_t i = 0; i < collected.files.size(); ++i) {
    value["files"].push_back(encode_file(collected.files[i], collected.sizes[i]));
  }
  for (const auto& left : collected.left_behind) {
    value["left_behind"].push_back({{"path", left.path}, {"why", left.why}});
  }
  return dump(value);
}

Collected decode_collected(std::string_view text) {
  const Json value = parse(text, max_message);
  Collected collected;
  auto list = decode_files(value, max_collected_files, max_collected_bytes);
  collected.files = std::move(list.files);
  collected.sizes = std::move(list.sizes);
  for (const Json& entry : array_in(value, "left_behind", max_left_behind)) {
    object_of(entry, "left_behind");
    collected.left_behind.push_back({text_in(entry, "path"), text_in(entry, "why")});
  }
  return collected;
}

std::string encode(const Ending& ending) {
  Json value = Json::object();
  if (ending.limit != Limit::none) value["limit"] = limit_name(ending.limit);
  put(value, "cut", ending.bytes_cut);
  put(value, "error", ending.error);
  return dump(value);
}

Ending decode_ending(std::string_view text) {
  const Json value = parse(text, max_small_message);
  Ending ending;
  ending.limit = limit_in(value);
  ending.bytes_cut = number_in<std::uint64_t>(value, "cut", 0, max_bytes);
  ending.error = text_in(value, "error");
  return ending;
}

std::string encode(const Clean& clean) {
  Json value = Json::object();
  put(value, "proven", clean.proven);
  put(value, "why", clean.why);
  return dump(value);
}

Clean decode_clean(std::string_view text) {
  const Json value = parse(text, max_small_message);
  return {boolean_in(value, "proven"), text_in(value, "why")};
}

std::string encode(const Refusal& refusal) {
  Json value = {{"code", refusal.code}};
  put(value, "text", refusal.text);
  return dump(value);
}

Refusal decode_refusal(std::string_view text) {
  const Json value = parse(text, max_small_message);
  return {text_in(value, "code", max_name), text_in(value, "text")};
}

std::string encode_output(std::uint32_t step, Stream stream, std::string_view bytes) {
  std::string payload;
  payload.reserve(5 + bytes.size());
  append_number(payload, step);
  payload.push_back(static_cast<char>(stream));
  payload.append(bytes);
  return payload;
}

OutputChunk decode_output(std::string_view payload) {
  if (payload.size() < 5) fail("output", "shorter than its header");
  OutputChunk chunk;
  chunk.step = read_u32(payload);
  if (chunk.step >= max_steps) fail("output", "no such step");
  if (payload[4] != 1 && payload[4] != 2) fail("output", "no such stream");
  chunk.stream = static_cast<Stream>(payload[4]);
  chunk.bytes.assign(payload.substr(5));
  return chunk;
}

std::string encode_file_piece(std::uint32_t index, std::string_view bytes) {
  std::string payload;
  payload.reserve(4 + bytes.size());
  append_number(payload, index);
  payload.append(bytes);
  return payload;
}

FilePiece decode_file_piece(std::string_view payload) {
  if (payload.size() < 4) fail("file", "shorter than its header");
  const std::uint32_t index = read_u32(payload);
  if (index >= max_job_files) fail("file", "no such file");
  return {index, payload.substr(4)};
}

std::string encode_credit(std::uint32_t bytes) {
  std::string payload;
  append_number(payload, bytes);
  return payload;
}

std::uint32_t decode_credit(std::string_view payload) {
  if (payload.size() != 4) fail("credit", "not four bytes");
  return read_u32(payload);
}

std::optional<std::string> MessageAssembler::add(std::string_view payload, bool more) {
  if (more && payload.empty()) {
    reset();
    fail("message", "an empty frame that is not its last");
  }
  if (pending_.size() + payload.size() > limit_) {
    reset();
    fail("message", "longer than " + std::to_string(limit_) + " bytes");
  }
  pending_.append(payload);
  if (more) return std::nullopt;
  return std::exchange(pending_, {});
}

}  // namespace pbotvm::protocol
