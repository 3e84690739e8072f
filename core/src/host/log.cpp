// SPDX-License-Identifier: MIT
#include "host/log.h"

#include <Poco/AutoPtr.h>
#include <Poco/Channel.h>
#include <Poco/DateTimeFormatter.h>
#include <Poco/Logger.h>
#include <Poco/Message.h>
#include <unistd.h>

#include <cstdio>
#include <string>

namespace pbotvm::host {

namespace {

constexpr std::size_t max_text = 4096;  // bytes of one message: a guest's words must not fill the log

const char* level_name(Poco::Message::Priority priority) {
  switch (priority) {
    case Poco::Message::PRIO_FATAL:
    case Poco::Message::PRIO_CRITICAL:
    case Poco::Message::PRIO_ERROR:
      return "error";
    case Poco::Message::PRIO_WARNING:
      return "warning";
    case Poco::Message::PRIO_NOTICE:
    case Poco::Message::PRIO_INFORMATION:
      return "information";
    default:
      return "debug";
  }
}

// One write a line, so that lines of several threads never mix. Controls become \xHH: a guest cannot forge a line.
class StandardErrorChannel : public Poco::Channel {
 public:
  void log(const Poco::Message& message) override {
    std::string line = Poco::DateTimeFormatter::format(message.getTime(), "%Y-%m-%dT%H:%M:%S.%iZ ");
    line += level_name(message.getPriority());
    line += ' ' + message.getSource() + ": ";
    const std::string& text = message.getText();
    for (std::size_t i = 0; i < text.size() && i < max_text; ++i) {
      const auto c = static_cast<unsigned char>(text[i]);
      const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
      const bool c1 = c == 0xC2 && next >= 0x80 && next < 0xA0;  // a control too, in UTF-8
      if (c >= 0x20 && c != 0x7F && !c1) {
        line += text[i];
      } else {
        char escaped[5];
        std::snprintf(escaped, sizeof escaped, "\\x%02x", c);
        line += escaped;
      }
    }
    line += text.size() > max_text ? " ...\n" : "\n";
    (void)!::write(STDERR_FILENO, line.data(), line.size());
  }
};

int poco_level(config::LogLevel level) {
  switch (level) {
    case config::LogLevel::error:
      return Poco::Message::PRIO_ERROR;
    case config::LogLevel::warning:
      return Poco::Message::PRIO_WARNING;
    case config::LogLevel::information:
      return Poco::Message::PRIO_INFORMATION;
    case config::LogLevel::debug:
      return Poco::Message::PRIO_DEBUG;
  }
  return Poco::Message::PRIO_INFORMATION;
}

}  // namespace

void set_up_log(config::LogLevel level) {
  Poco::AutoPtr<Poco::Channel> channel(new StandardErrorChannel);
  Poco::Logger::setChannel("", channel);
  Poco::Logger::setLevel("", poco_level(level));
}

}  // namespace pbotvm::host
