// SPDX-License-Identifier: MIT
#include "plugin/registry.h"

#include <gmock/gmock.h>

#include "fixture_directory.h"
#include "pbotvm/plugin.h"
#include "plugin/guard.h"

namespace pbotvm::plugin {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class RegistryTest : public ScratchTest {
 protected:
  /// The one entry of a folder whose plug-in must be refused, with nothing of it run.
  Entry refused(const std::string& folder) {
    const Registry registry({fixture(folder)});
    EXPECT_EQ(registry.list().size(), 1u);
    const Entry entry = registry.list().at(0);
    EXPECT_EQ(entry.state, Entry::State::refused);
    EXPECT_EQ(entry.path.parent_path(), fixture(folder));
    EXPECT_EQ(witnessed(), "");
    return entry;
  }

  static std::string lookup_failure(const Registry& registry, const std::string& transport) {
    try {
      registry.transport(transport);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::plugin);
      return error.what();
    }
    return "found";
  }
};

TEST_F(RegistryTest, LoadsEveryKindSortedByFileName) {
  const Registry registry({fixture("good")});
  ASSERT_EQ(registry.list().size(), 3u);
  EXPECT_EQ(registry.list()[0].line(), "loaded\thypervisor\tfixture-good\t" +
                                           (fixture("good") / "hypervisor-fixture-good.so").string() + "\tversion 1.0");
  EXPECT_EQ(registry.list()[1].kind, "language");
  EXPECT_EQ(registry.list()[2].line(), "loaded\ttransport\tfixture-good\t" +
                                           (fixture("good") / "transport-fixture-good.so").string() + "\tversion 1.2");
  EXPECT_EQ(registry.transport("fixture-good").create({}, Settings())->description(), "fixture-good");
  EXPECT_EQ(registry.hypervisor("fixture-good").create({}, Settings()), nullptr);
  ASSERT_EQ(registry.languages().size(), 1u);
  EXPECT_EQ(registry.languages()[0].name, "fixture-good");
  EXPECT_EQ(registry.languages()[0].factory.create({}).at(0)->name(), "fixture");
}

TEST_F(RegistryTest, DestroysFactoriesInReverseOrderOfLoading) {
  { const Registry registry({fixture("good")}); }
  EXPECT_EQ(witnessed(), "made fixture-good\ndestroyed fixture-good\ndestroyed language\ndestroyed hypervisor\n");
}

TEST_F(RegistryTest, RefusesAnotherAbiMajor) {
  EXPECT_EQ(refused("wrong-major").reason, "ABI major: expected 1, found 2");
}

TEST_F(RegistryTest, RefusesANewerAbiMinor) {
  EXPECT_EQ(refused("newer-minor").reason, "ABI minor: expected " + std::to_string(PBOTVM_ABI_MINOR) +
                                               " or older, found " + std::to_string(PBOTVM_ABI_MINOR + 1));
}

TEST_F(RegistryTest, RefusesAnotherBuildSignature) {
  EXPECT_EQ(refused("bad-signature").reason,
            std::string("build signature: expected ") + build_signature() + ", found another-library");
}

TEST_F(RegistryTest, RefusesAKindOrANameThatIsNotTheFiles) {
  EXPECT_EQ(refused("wrong-kind").reason, "kind, by the file's name: expected transport, found language");
  EXPECT_EQ(refused("wrong-name").reason, "name, by the file's name: expected wrong-name, found another");
}

TEST_F(RegistryTest, RefusesMissingOrIncompleteInformation) {
  EXPECT_EQ(refused("no-info").reason, "function: expected pbotvm_plugin_info(), found none");
  EXPECT_EQ(refused("null-info").reason, "plug-in information: expected a structure, found a null pointer");
  EXPECT_EQ(refused("short-info").reason, "size of the plug-in information: expected at least 48 bytes, found 12");
}

TEST_F(RegistryTest, RefusesAManifestThatDoesNotFit) {
  EXPECT_EQ(refused("no-manifest").reason, "function: expected pocoBuildManifest(), found none");
  EXPECT_EQ(refused("other-manifest").reason,
            "manifest: expected one of pbotvm::LanguageFactory, found one of another class");
  EXPECT_EQ(refused("two-classes").reason, "manifest: expected one class, found 2");
}

TEST_F(RegistryTest, RefusesAMissingSymbolHoweverItWasLinked) {
  for (const std::string folder : {"missing-symbol", "lazy-missing-symbol"}) {
    const std::string reason = refused(folder).reason;
    EXPECT_THAT(reason, StartsWith("cannot be loaded: "));
    EXPECT_THAT(reason, HasSubstr("undefined symbol: _Z30a_function_that_nobody_definesv"));
  }
}

TEST_F(RegistryTest, RefusesAFileThatIsNoLibrary) {
  const Entry entry = refused("not-a-library");
  EXPECT_EQ(entry.kind, "transport");
  EXPECT_EQ(entry.name, "x");
  EXPECT_THAT(entry.reason, StartsWith("cannot be loaded: "));
}

TEST_F(RegistryTest, RefusesFileNamesThatAreNotKindAndName) {
  for (const char* name : {"gadget-x.so", "transport-.so", "transport-Upper.so", "notes.txt"})
    std::ofstream(scratch / name) << "text";
  const Registry registry({scratch});
  ASSERT_EQ(registry.list().size(), 3u);
  EXPECT_EQ(registry.list()[0].line(),
            "refused\t-\t-\t" + (scratch / "gadget-x.so").string() +
                "\tfile name: expected KIND-NAME.so with the kind hypervisor, language or transport and a name of "
                "[a-z0-9-]+, found gadget-x.so");
  EXPECT_THAT(registry.list()[1].reason, HasSubstr("found transport-.so"));
  EXPECT_THAT(registry.list()[2].reason, HasSubstr("found transport-Upper.so"));
}

TEST_F(RegistryTest, KeepsTheFirstOfTwoWithOneKindAndName) {
  const Registry registry({fixture("good"), fixture("duplicate")});
  ASSERT_EQ(registry.list().size(), 4u);
  EXPECT_EQ(registry.list()[3].state, Entry::State::refused);
  EXPECT_EQ(registry.list()[3].path, fixture("duplicate") / "transport-fixture-good.so");
  EXPECT_EQ(registry.list()[3].reason, "duplicate: expected one transport fixture-good, found another in " +
                                           (fixture("good") / "transport-fixture-good.so").string());
  EXPECT_EQ(witnessed(), "made fixture-good\n");
  EXPECT_EQ(registry.transport("fixture-good").create({}, Settings())->description(), "fixture-good");
}

TEST_F(RegistryTest, ReadsADirectoryThatIsNamedTwiceOnce) {
  const Registry registry({fixture("good"), fixture("duplicate") / ".." / "good"});
  EXPECT_EQ(registry.list().size(), 3u);
}

TEST_F(RegistryTest, RefusesAFactoryThatThrowsInOneLineAndLoadsTheRest) {
  const Registry registry({fixture("throws")});
  ASSERT_EQ(registry.list().size(), 2u);
  EXPECT_EQ(registry.list()[0].state, Entry::State::loaded);
  EXPECT_EQ(registry.list()[1].state, Entry::State::refused);
  EXPECT_EQ(registry.list()[1].reason, "transport throws-when-made: load: no factory today");
}

TEST_F(RegistryTest, NamesThePluginWhoseCreateThrows) {
  const Registry registry({fixture("throws")});
  MachineSettings machine;
  machine.name = "m1";
  try {
    guarded({"transport", "throws-in-create", "create"},
            [&] { return registry.transport("throws-in-create").create(machine, Settings()); });
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::plugin);
    EXPECT_STREQ(error.what(), "transport throws-in-create: create: no transport for m1");
  }
}

TEST_F(RegistryTest, LetsTheComplaintOfAPluginAboutItsOwnSettingsThrough) {
  const Registry registry({fixture("good")});
  const Settings own = Settings::parse("transports:\n  - {plugin: fixture-good, dept: 1}\n", "x.yaml");
  const Settings settings = own.find("transports")->items().at(0).without("plugin");
  try {
    guarded({"transport", "fixture-good", "create"},
            [&] { return registry.transport("fixture-good").create({}, settings); });
    FAIL() << "nothing was thrown";
  } catch (const ConfigurationError& error) {
    EXPECT_STREQ(error.what(), "x.yaml:2:28: error: unknown key 'dept', accepted are depth; did you mean 'depth'?");
  }
}

TEST_F(RegistryTest, RunsEachPluginsOwnHelperOfTwoWithOneName) {
  const Registry registry({fixture("helpers")});
  EXPECT_EQ(registry.transport("helper-one").create({}, Settings())->description(), "helper-one");
  EXPECT_EQ(registry.transport("helper-two").create({}, Settings())->description(), "helper-two");
}

TEST_F(RegistryTest, SaysWhyANamedPluginIsNotThere) {
  const Registry registry({fixture("good"), fixture("helpers"), fixture("wrong-major")});
  EXPECT_EQ(lookup_failure(registry, "wrong-major"),
            "transport wrong-major: the plug-in " + (fixture("wrong-major") / "transport-wrong-major.so").string() +
                " was refused: ABI major: expected 1, found 2");
  EXPECT_EQ(lookup_failure(registry, "fixture-god"),
            "transport fixture-god: there is no such plug-in; there are fixture-good, helper-one, helper-two; did you "
            "mean 'fixture-good'?");
  EXPECT_EQ(lookup_failure(Registry({fixture("not-a-library")}), "serial"),
            "transport serial: there is no such plug-in; none of this kind was found, check host.plugins "
            "(PBOTVM_PLUGINS)");
}

TEST_F(RegistryTest, DemandsEveryDirectory) {
  try {
    const Registry registry({scratch / "absent"});
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::configuration);
    EXPECT_EQ(error.what(), "read the directory of plug-ins " + (scratch / "absent").string() +
                                ": No such file or directory; correct host.plugins (PBOTVM_PLUGINS)");
  }
}

}  // namespace
}  // namespace pbotvm::plugin
