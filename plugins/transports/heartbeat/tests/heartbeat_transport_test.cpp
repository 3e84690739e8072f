// SPDX-License-Identifier: MIT

#include "../../tests/listener.h"
#include "../../tests/loaded_factory.h"
#include "../heartbeat_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>

#include <chrono>

namespace pbotvm::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using transports::HeartbeatMode;
using transports::HeartbeatReader;

std::unique_ptr<Transport> make(const Endpoint& endpoint, const std::string& settings) {
  static const auto factory = load_factory<TransportFactory>(PLUGIN_FILE);
  MachineSettings machine;
  machine.name = "m";
  machine.heart = endpoint;
  return factory->create(machine, Settings::parse(settings, "test.yaml"));
}

SignsOfLife& signs_of(Transport& transport) {
  return *static_cast<SignsOfLife*>(transport.extension(SignsOfLife::identifier));
}

std::string complaint(const Endpoint& endpoint, const std::string& settings) {
  try {
    make(endpoint, settings);
  } catch (const ConfigurationError& error) {
    return error.what();
  }
  return "no complaint";
}

TEST(HeartbeatBeat, AnyNewlineIsASignOfLife) {
  HeartbeatReader reader(HeartbeatMode::beat);
  EXPECT_FALSE(reader.feed("noise"));
  EXPECT_TRUE(reader.feed("\n"));
  EXPECT_TRUE(reader.feed("\r\n"));
  EXPECT_FALSE(reader.feed(""));
}

TEST(HeartbeatBeat, WritesNothingToTheGuest) {
  EXPECT_EQ("", HeartbeatReader(HeartbeatMode::beat).probe());
}

TEST(HeartbeatPoll, ProbesWithANewline) {
  EXPECT_EQ("\n", HeartbeatReader(HeartbeatMode::poll).probe());
}

TEST(HeartbeatPoll, TheLastLineOfTheAnswerIsTheSign) {
  HeartbeatReader reader(HeartbeatMode::poll);
  EXPECT_FALSE(reader.feed("procs ---memory---\n 1  0  0 1234\n"));
  EXPECT_TRUE(reader.feed(":END\n"));
}

TEST(HeartbeatPoll, ACookedTtysAnswerIsASignToo) {
  EXPECT_TRUE(HeartbeatReader(HeartbeatMode::poll).feed("figures\r\n:END\r\n"));
}

TEST(HeartbeatPoll, TheEchoOfTheProbeIsNoSign) {
  HeartbeatReader reader(HeartbeatMode::poll);
  EXPECT_FALSE(reader.feed("\n"));
  EXPECT_FALSE(reader.feed("\r\n"));
}

TEST(HeartbeatPoll, ATerminalThatNobodyReadsGivesNoSign) {
  int host = -1, guest = -1;
  ASSERT_EQ(0, ::openpty(&host, &guest, nullptr, nullptr, nullptr));  // in line mode, with echo
  const UniqueFd host_end(host), guest_end(guest);
  HeartbeatReader reader(HeartbeatMode::poll);
  ASSERT_EQ(1, ::write(host, reader.probe().data(), 1));
  const std::string echo = read_some(host);
  EXPECT_EQ("\r\n", echo);
  EXPECT_FALSE(reader.feed(echo));
  ASSERT_EQ("\n", read_some(guest));
  ASSERT_EQ(14, ::write(guest, "procs\n 1\n:END\n", 14));
  EXPECT_TRUE(reader.feed(read_some(host)));
}

TEST(HeartbeatPoll, ASignMayComeInPieces) {
  HeartbeatReader reader(HeartbeatMode::poll);
  EXPECT_FALSE(reader.feed("x\n:E"));
  EXPECT_FALSE(reader.feed("ND\r"));
  EXPECT_TRUE(reader.feed("\n"));
}

TEST(HeartbeatPoll, OtherLinesThatLookAlikeAreNoSign) {
  HeartbeatReader reader(HeartbeatMode::poll);
  EXPECT_FALSE(reader.feed(":ENDE\n:END \nx:END\n:END\r\r\n:end\n" + std::string(100'000, ':') + "\n"));
  EXPECT_TRUE(reader.feed(":END\n"));
}

TEST(HeartbeatPoll, ResetForgetsAHalfReadSign) {
  HeartbeatReader reader(HeartbeatMode::poll);
  EXPECT_FALSE(reader.feed(":EN"));
  reader.reset();
  EXPECT_FALSE(reader.feed("D\n"));
  EXPECT_TRUE(reader.feed(":END\n"));
}

TEST(HeartbeatPlugin, ReadsASignFromTheLine) {
  const Listener line = Listener::tcp();
  const auto transport = make(line.endpoint, "{}");
  const UniqueFd host = transport->connect(Deadline::in(5s));
  const UniqueFd guest = line.accept();
  ASSERT_EQ(1, ::write(guest.get(), "\n", 1));
  EXPECT_TRUE(signs_of(*transport).feed(read_some(host.get())));
}

TEST(HeartbeatPlugin, BeatsUnlessToldToPoll) {
  const Endpoint endpoint = Endpoint::tcp("127.0.0.1", 1);
  EXPECT_EQ("", signs_of(*make(endpoint, "{}")).probe());
  EXPECT_EQ("", signs_of(*make(endpoint, "{plugin: heartbeat, mode: beat}")).probe());
  EXPECT_EQ("\n", signs_of(*make(endpoint, "{mode: poll}")).probe());
}

TEST(HeartbeatPlugin, HasNoOtherExtension) {
  EXPECT_EQ(nullptr, make(Endpoint::tcp("127.0.0.1", 1), "{}")->extension("pbotvm.other/1"));
}

TEST(HeartbeatPlugin, RefusesWhatItDoesNotKnowWithItsPosition) {
  const Endpoint endpoint = Endpoint::tcp("127.0.0.1", 1);
  EXPECT_THAT(complaint(endpoint, "{mode: pol}"), HasSubstr("test.yaml:1:8: error: mode is 'pol'"));
  EXPECT_THAT(complaint(endpoint, "{moed: poll}"), HasSubstr("moed"));
  EXPECT_THAT(complaint(Endpoint{}, "{}"), HasSubstr("machines.m.heart"));
}

}  // namespace
}  // namespace pbotvm::testing
