// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "service/events.h"

namespace pbotvm::service {

/// Words the events of one request as lines of JSON, as docs/clients.md has them. Output stays text where the bytes of
/// a step's stream are UTF-8, wherever its pieces are cut.
class JsonReply {
 public:
  /// The lines for this event, each with its end; none while a character is not whole.
  std::string lines(const Event& event);

 private:
  using Channel = std::pair<std::uint32_t, Stream>;  // step, stream
  struct Held {
    std::string bytes;  // the beginning of a character
    std::string label;
  };

  std::string output(const Printed& printed);
  std::string release(std::uint32_t step);
  std::string release_all();

  std::map<Channel, Held> held_;
};

}  // namespace pbotvm::service
