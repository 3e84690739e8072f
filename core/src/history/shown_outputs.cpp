// SPDX-License-Identifier: MIT
#include "history/shown_outputs.h"

#include <Poco/SHA2Engine.h>

#include <algorithm>
#include <optional>

#include "history/channel.h"

namespace pbotvm::history {

namespace {

std::size_t characters(std::string_view utf8) {
  return static_cast<std::size_t>(
      std::count_if(utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// Empty for an output that is too short to be a repetition.
std::vector<unsigned char> digest_of(std::string_view output) {
  if (characters(output) <= ShownOutputs::always_shown) return {};
  Poco::SHA2Engine engine;
  engine.update(output.data(), output.size());
  return engine.digest();
}

// None where no chat channel is named.
std::optional<std::string> chat_channel(const std::string& channel) {
  std::string name = channel_name(channel);
  if (!name.starts_with('#') || name.size() > max_channel) return {};
  return name;
}

}  // namespace

bool ShownOutputs::repeats(const std::string& channel, const std::string& language, std::string_view output,
                           Clock::time_point now) {
  auto name = chat_channel(channel);
  if (!name) return false;
  Shown shown{digest_of(output), now};
  const Place place{std::move(*name), language};
  const std::lock_guard lock(mutex_);
  const auto last = last_.find(place);
  if (last != last_.end() && last->second.digest == shown.digest && now - last->second.at <= memory) return true;
  remember(place, std::move(shown));
  return false;
}

void ShownOutputs::show(const std::string& channel, const std::string& language, std::string_view output,
                        Clock::time_point now) {
  auto name = chat_channel(channel);
  if (!name) return;
  Shown shown{digest_of(output), now};
  const std::lock_guard lock(mutex_);
  remember({std::move(*name), language}, std::move(shown));
}

void ShownOutputs::forget(const std::string& channel, const std::string& language, std::string_view output) {
  auto name = chat_channel(channel);
  if (!name) return;
  const auto digest = digest_of(output);
  const std::lock_guard lock(mutex_);
  const auto last = last_.find({std::move(*name), language});
  if (last != last_.end() && last->second.digest == digest) erase(last);
}

std::size_t ShownOutputs::size() const {
  const std::lock_guard lock(mutex_);
  return last_.size();
}

// With the mutex held. A short output leaves nothing to repeat.
void ShownOutputs::remember(const Place& place, Shown shown) {
  if (const auto last = last_.find(place); last != last_.end()) erase(last);
  if (shown.digest.empty()) return;
  if (last_.size() >= max_outputs) erase(last_.find(by_age_.begin()->second));
  by_age_.emplace(shown.at, place);
  last_.emplace(place, std::move(shown));
}

// With the mutex held.
void ShownOutputs::erase(std::map<Place, Shown>::iterator one) {
  const auto [begin, end] = by_age_.equal_range(one->second.at);
  by_age_.erase(std::find_if(begin, end, [&](const auto& each) { return each.second == one->first; }));
  last_.erase(one);
}

}  // namespace pbotvm::history
