// SPDX-License-Identifier: MIT
#include "machine/heartbeat_monitor.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "scripted_guest.h"

namespace pbotvm::machine {
namespace {

using namespace std::chrono_literals;

// A line whose signs of life are newlines, connected to a socket pair.
class FakeLine : public Transport, public SignsOfLife {
 public:
  explicit FakeLine(std::string probe = {}) : probe_(std::move(probe)) {}
  UniqueFd connect(const Deadline&) override {
    if (refuses_) throw Error(ErrorCode::unavailable, "nobody listens");
    test::SocketPair pair;
    guest_ = std::move(pair.guest);
    return std::move(pair.host);
  }
  std::string description() const override { return "a fake line"; }
  void* extension(std::string_view wanted) override {
    return wanted == SignsOfLife::identifier ? static_cast<SignsOfLife*>(this) : nullptr;
  }
  std::string_view probe() const override { return probe_; }
  bool feed(std::string_view bytes) override { return bytes.find('\n') != std::string_view::npos; }
  void reset() override {}

  void write(std::string_view bytes) { ASSERT_GT(::send(guest_.get(), bytes.data(), bytes.size(), 0), 0); }
  std::string read() {
    char buffer[256];
    const ssize_t got = ::recv(guest_.get(), buffer, sizeof buffer, 0);
    return std::string(buffer, got > 0 ? static_cast<std::size_t>(got) : 0);
  }
  void refuse(bool refuses) { refuses_ = refuses; }

 private:
  std::string probe_;
  UniqueFd guest_;
  bool refuses_ = false;
};

class DeafLine : public Transport {
  UniqueFd connect(const Deadline&) override { return {}; }
  std::string description() const override { return "a deaf line"; }
};

const auto start = Deadline::Clock::now();

TEST(HeartbeatMonitorTest, IsOverdueAfterThreeMissedBeats) {
  FakeLine line;
  HeartbeatMonitor monitor(line, "fake");
  monitor.restart(start);
  monitor.tick(start);
  EXPECT_FALSE(monitor.overdue(start + 15s));
  EXPECT_TRUE(monitor.overdue(start + 17s));
  line.write("\n");
  monitor.on_readable(start + 17s);
  EXPECT_FALSE(monitor.overdue(start + 30s));
  EXPECT_EQ(*monitor.last_beat(), start + 17s);
}

TEST(HeartbeatMonitorTest, TakesNothingButASignForASign) {
  FakeLine line;
  HeartbeatMonitor monitor(line, "fake");
  monitor.restart(start);
  monitor.tick(start);
  line.write("noise");
  monitor.on_readable(start + 5s);
  EXPECT_FALSE(monitor.last_beat().has_value());
  EXPECT_TRUE(monitor.overdue(start + 17s));
}

TEST(HeartbeatMonitorTest, ConnectsAgainASecondAfterAFailure) {
  FakeLine line;
  line.refuse(true);
  HeartbeatMonitor monitor(line, "fake");
  monitor.restart(start);
  monitor.tick(start);
  EXPECT_EQ(monitor.fd(), -1);
  line.refuse(false);
  monitor.tick(start + 500ms);
  EXPECT_EQ(monitor.fd(), -1);
  monitor.tick(start + 1s);
  EXPECT_NE(monitor.fd(), -1);
}

TEST(HeartbeatMonitorTest, AsksAGuestThatOnlyAnswers) {
  FakeLine line("\n");
  HeartbeatMonitor monitor(line, "fake");
  monitor.restart(start);
  monitor.tick(start);
  EXPECT_EQ(line.read(), "\n");
  monitor.tick(start + 5s);
  EXPECT_EQ(line.read(), "\n");
}

TEST(HeartbeatMonitorTest, CollectsFiguresUpToTheirEnd) {
  FakeLine line;
  HeartbeatMonitor monitor(line, "fake");
  monitor.restart(start);
  monitor.tick(start);
  monitor.request_figures();
  EXPECT_EQ(line.read(), "\n");
  line.write("\nload 0.1\n");
  monitor.on_readable(start);
  EXPECT_FALSE(monitor.take_figures().has_value());
  line.write("memory 5\n:END\n");
  monitor.on_readable(start);
  EXPECT_EQ(*monitor.take_figures(), "load 0.1\nmemory 5\n");
}

TEST(HeartbeatMonitorTest, AnEchoOfItsQuestionIsNoBeat) {
  FakeLine line;
  HeartbeatMonitor monitor(line, "fake");
  monitor.restart(start);
  monitor.tick(start);
  monitor.request_figures();
  line.write("\r\n");
  monitor.on_readable(start + 1s);
  EXPECT_FALSE(monitor.last_beat().has_value());
  line.write("load 1\r\n:END\r\n");
  monitor.on_readable(start + 2s);
  EXPECT_EQ(*monitor.last_beat(), start + 2s);
  EXPECT_EQ(*monitor.take_figures(), "load 1\n");
}

TEST(HeartbeatMonitorTest, SurvivesFiguresThatNeverEnd) {
  FakeLine line;
  HeartbeatMonitor monitor(line, "fake");
  monitor.restart(start);
  monitor.tick(start);
  monitor.request_figures();
  for (int i = 0; i < 40; ++i) {
    line.write(std::string(1000, 'x'));
    monitor.on_readable(start);
  }
  line.write(":END\n");
  monitor.on_readable(start);
  EXPECT_FALSE(monitor.take_figures().has_value());
}

TEST(HeartbeatMonitorTest, RefusesATransportWithoutSignsOfLife) {
  DeafLine line;
  EXPECT_THROW(HeartbeatMonitor monitor(line, "deaf"), Error);
}

}  // namespace
}  // namespace pbotvm::machine
