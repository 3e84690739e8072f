// The transport '@NAME@': a byte stream to a guest over a Unix socket or a TCP port that its setting `line` names.

#include <pbotvm/endpoint.h>
#include <pbotvm/plugin.h>
#include <pbotvm/settings_check.h>
#include <pbotvm/transport.h>

namespace {

using pbotvm::Deadline;
using pbotvm::Endpoint;
using pbotvm::MachineSettings;
using pbotvm::Settings;

class @CLASS@Transport final : public pbotvm::Transport {
 public:
  explicit @CLASS@Transport(Endpoint line) : line_(std::move(line)) {}

  // connect_endpoint() does all that is asked of a transport: the descriptor is connected, non-blocking and
  // close-on-exec; it comes back by the deadline, and throws Error{unavailable} where nobody listens.
  pbotvm::UniqueFd connect(const Deadline& deadline) override { return pbotvm::connect_endpoint(line_, deadline); }

  std::string description() const override { return line_.text(); }

 private:
  const Endpoint line_;
};

Endpoint read_line(const MachineSettings& machine, const Settings& settings) {
  settings.accept_only({"plugin", "line"});
  const auto line = settings.find("line");
  if (!line) settings.fail("transport '@NAME@' of machine '" + machine.name + "' needs its line: a port or unix:PATH");
  try {
    return Endpoint::parse(line->text());
  } catch (const pbotvm::ConfigurationError&) {
    throw;
  } catch (const pbotvm::Error& error) {
    line->fail(error.what());
  }
}

class @CLASS@Factory final : public pbotvm::TransportFactory, public pbotvm::SettingsCheck {
 public:
  std::unique_ptr<pbotvm::Transport> create(const MachineSettings& machine, const Settings& settings) override {
    return std::make_unique<@CLASS@Transport>(read_line(machine, settings));
  }
  std::vector<std::string> check(const MachineSettings& machine, const Settings& settings) override {
    read_line(machine, settings);
    return {};
  }
};

}  // namespace

PBOTVM_PLUGIN("transport", "@NAME@", "1.0", pbotvm::TransportFactory, @CLASS@Factory)
