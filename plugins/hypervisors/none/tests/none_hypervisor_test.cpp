// SPDX-License-Identifier: MIT

#include "../../../transports/tests/loaded_factory.h"
#include "pbotvm/hypervisor.h"

#include <gtest/gtest.h>

#include <chrono>

namespace pbotvm::testing {
namespace {

using namespace std::chrono_literals;

std::unique_ptr<Hypervisor> make(const std::string& settings = "{plugin: none}") {
  static const auto factory = load_factory<HypervisorFactory>(PLUGIN_FILE);
  return factory->create(MachineSettings{}, Settings::parse(settings, "test.yaml"));
}

TEST(NoneHypervisor, CanNeitherStartNorRevert) {
  const HypervisorAbilities abilities = make()->abilities();
  EXPECT_FALSE(abilities.starts);
  EXPECT_FALSE(abilities.reverts);
}

TEST(NoneHypervisor, TakesTheMachineForRunningWhateverIsAskedOfIt) {
  const auto hypervisor = make();
  EXPECT_EQ(Started::restored, hypervisor->start(Deadline::in(1s)));
  EXPECT_TRUE(hypervisor->running());
  hypervisor->stop(Deadline::in(1s));
  EXPECT_TRUE(hypervisor->running());
}

TEST(NoneHypervisor, RefusesToSaveOrRevert) {
  const auto hypervisor = make();
  EXPECT_THROW(hypervisor->take_snapshot(Deadline::in(1s)), Error);
  EXPECT_THROW(hypervisor->revert(Deadline::in(1s)), Error);
}

TEST(NoneHypervisor, RefusesAKeyThatItDoesNotKnow) {
  EXPECT_THROW(make("{memory: 1 GiB}"), ConfigurationError);
}

}  // namespace
}  // namespace pbotvm::testing
