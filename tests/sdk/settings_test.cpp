// SPDX-License-Identifier: MIT
#include "pbotvm/settings.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>

namespace pbotvm {
namespace {

using testing::ElementsAre;
using testing::StartsWith;

template <typename Function>
std::string failure(Function function) {
  try {
    function();
  } catch (const ConfigurationError& error) {
    return error.what();
  }
  return "accepted";
}

Settings parse(const std::string& text) {
  return Settings::parse(text, "x.yaml");
}

std::string parse_failure(const std::string& text) {
  return failure([&] { parse(text); });
}

/// Of the value of the key `v`.
template <typename Function>
std::string value_failure(const std::string& value, Function function) {
  return failure([&] { function(*parse("v: " + value).find("v")); });
}

TEST(SettingsTest, KnowsWhereEveryValueStands) {
  const Settings root = parse("a:\n  b: [1, two]\n  c:\n");
  EXPECT_EQ(root.position(), "x.yaml:1:1");
  const Settings a = *root.find("a");
  EXPECT_EQ(a.position(), "x.yaml:2:3");
  EXPECT_EQ(a.find("b")->items().at(1).position(), "x.yaml:2:10");
  EXPECT_EQ(a.key("b").position(), "x.yaml:2:3");
  EXPECT_EQ(a.find("c")->position(), "x.yaml:3:3");
  EXPECT_TRUE(a.find("c")->is_null());
  EXPECT_FALSE(a.find("d").has_value());
}

TEST(SettingsTest, AnEmptyDocumentIsAnEmptyMapping) {
  for (const char* text : {"", "# nothing\n", "---\n", "~\n"}) EXPECT_TRUE(parse(text).entries().empty()) << text;
  EXPECT_TRUE(Settings().entries().empty());
}

TEST(SettingsTest, RefusesADuplicateKeyAtAnyDepth) {
  EXPECT_EQ(parse_failure("a:\n  b: 1\n  c: 2\n  b: 3\n"),
            "x.yaml:4:3: error: duplicate key 'b', which already stands at x.yaml:2:3");
  EXPECT_EQ(parse_failure("[{k: 1, 'k': 2}]"),
            "x.yaml:1:9: error: duplicate key 'k', which already stands at x.yaml:1:3");
}

TEST(SettingsTest, RefusesASecondDocument) {
  EXPECT_EQ(parse_failure("a: 1\n---\nb: 2\n"),
            "x.yaml:2:1: error: found a second document, or something behind the end of the first one");
}

TEST(SettingsTest, RefusesMergeKeysAndForeignTags) {
  EXPECT_EQ(parse_failure("a: &x {b: 1}\nc:\n  <<: *x\n"),
            "x.yaml:3:3: error: found a merge key '<<', which is not accepted; write the keys out");
  EXPECT_EQ(parse_failure("a: !thing 1\n"), "x.yaml:1:4: error: found the tag '!thing', no tag but !!str is accepted");
}

TEST(SettingsTest, FollowsAnAliasButNoRing) {
  EXPECT_EQ(parse("a: &x {b: 1}\nc: *x\n").find("c")->integer("b", 0, 0, 9), 1);
  EXPECT_EQ(parse_failure("a: &x [*x]\n"), "x.yaml:1:8: error: found an alias of something that is not complete yet");
}

TEST(SettingsTest, BoundsWhatAliasesMultiply) {
  std::string text = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n";
  for (int i = 1; i < 9; ++i) {
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int j = 0; j < 10; ++j) text += (j == 0 ? "*a" : ", *a") + std::to_string(i - 1);
    text += "]\n";
  }
  EXPECT_THAT(parse_failure(text), testing::EndsWith("error: found more than 100000 values"));
}

TEST(SettingsTest, RefusesBrokenYamlAtItsPlace) {
  EXPECT_THAT(parse_failure("a: [1\nb: 2\n"), StartsWith("x.yaml:2:2: error: not valid YAML: "));
  EXPECT_THAT(parse_failure("a: b: c\n"), StartsWith("x.yaml:1:5: error: not valid YAML: "));
  EXPECT_THAT(parse_failure("? [k]\n: 1\n"), StartsWith("x.yaml:1:3: error: found a list as a key"));
  EXPECT_THAT(parse_failure(std::string(5000, '[')), StartsWith("x.yaml:1:1: error: "));
}

TEST(SettingsTest, BoundsSizes) {
  EXPECT_EQ(parse_failure("#" + std::string(1024 * 1024, 'a')),
            "x.yaml: error: larger than 1 MiB, which is the most that is accepted");
  EXPECT_EQ(parse_failure("#" + std::string(1024 * 1024 - 1, 'a')), "accepted");
}

TEST(SettingsTest, LoadsAFileAndSaysWhyItCannot) {
  std::string directory = (std::filesystem::temp_directory_path() / "pbotvm-test-XXXXXX").string();
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  std::ofstream(directory + "/x.yaml") << "a: 1\n";
  EXPECT_EQ(Settings::load(directory + "/x.yaml").find("a")->position(), directory + "/x.yaml:1:4");
  EXPECT_EQ(failure([&] { Settings::load(directory + "/y.yaml"); }),
            directory + "/y.yaml: error: cannot be opened: No such file or directory");
  EXPECT_EQ(failure([&] { Settings::load(directory); }), directory + ": error: cannot be read: Is a directory");
  std::filesystem::remove_all(directory);
}

TEST(SettingsTest, NamesTheNearestOfTheKnownKeys) {
  const Settings root = parse("server: 1\n\ntiemout: 2\n");
  EXPECT_EQ(failure([&] {
              root.accept_only({"server", "timeout"});
            }),
            "x.yaml:3:1: error: unknown key 'tiemout', accepted are server, timeout; did you mean 'timeout'?");
  EXPECT_EQ(failure([&] {
              root.accept_only({"server", "other"});
            }),
            "x.yaml:3:1: error: unknown key 'tiemout', accepted are server, other");
  EXPECT_EQ(failure([&] { root.accept_only(std::vector<std::string>{}); }),
            "x.yaml:1:1: error: unknown key 'server', no key is accepted here");
  EXPECT_EQ(failure([&] { root.accept_only({"server", "tiemout"}); }), "accepted");
}

TEST(SettingsTest, ReadsTexts) {
  EXPECT_EQ(parse("v: 1.10").text("v", ""), "1.10");
  EXPECT_EQ(parse("v: ''").text("v", "x"), "");
  EXPECT_EQ(parse("w: 1").text("v", "x"), "x");
  EXPECT_EQ(value_failure("", [](const Settings& v) { v.text(); }),
            "x.yaml:1:1: error: found nothing, a text is accepted");
  EXPECT_EQ(value_failure("[a]", [](const Settings& v) { v.text(); }),
            "x.yaml:1:4: error: found a list, a text is accepted");
  EXPECT_THAT(parse("v: [a, b]").texts("v", {}), ElementsAre("a", "b"));
  EXPECT_THAT(parse("v: a").texts("v", {}), ElementsAre("a"));
  EXPECT_THAT(parse("w: a").texts("v", {"c"}), ElementsAre("c"));
}

TEST(SettingsTest, ReadsBooleansOnlyAsTrueAndFalse) {
  EXPECT_TRUE(parse("v: true").boolean("v", false));
  EXPECT_FALSE(parse("v: false").boolean("v", true));
  EXPECT_TRUE(parse("w: 1").boolean("v", true));
  for (const char* text : {"yes", "True", "1", "'true'"})
    EXPECT_THAT(value_failure(text, [](const Settings& v) { v.boolean(); }), StartsWith("x.yaml:1:4: error: found "))
        << text;
  EXPECT_EQ(value_failure("on", [](const Settings& v) { v.boolean(); }),
            "x.yaml:1:4: error: found 'on', true or false is accepted");
}

TEST(SettingsTest, ReadsWholeNumbersWithinTheirBounds) {
  EXPECT_EQ(parse("v: -5").integer("v", 0, -5, 5), -5);
  EXPECT_EQ(parse("w: 1").integer("v", 3, 0, 5), 3);
  const auto read = [](const Settings& v) { v.integer(1, 65535); };
  EXPECT_EQ(value_failure("70000", read),
            "x.yaml:1:4: error: found '70000', a whole number from 1 to 65535 is accepted");
  EXPECT_EQ(value_failure("'80'", read),
            "x.yaml:1:4: error: found the quoted text '80', a whole number from 1 to 65535 is accepted");
  for (const char* text : {"0", "0x10", "1e3", "1.0", "+1", "99999999999999999999", "{}", "~"})
    EXPECT_THAT(value_failure(text, read), testing::HasSubstr("is accepted")) << text;
}

TEST(SettingsTest, ReadsNumbers) {
  EXPECT_DOUBLE_EQ(parse("v: 2.5").find("v")->number(0, 10), 2.5);
  const auto read = [](const Settings& v) { v.number(0.001, 86400); };
  EXPECT_EQ(value_failure("0", read), "x.yaml:1:4: error: found '0', a number from 0.001 to 86400 is accepted");
  for (const char* text : {".inf", "inf", "nan", "1e3", "ten", "10s"})
    EXPECT_THAT(value_failure(text, read), testing::HasSubstr("is accepted")) << text;
}

TEST(SettingsTest, ReadsBytesWithUnits) {
  EXPECT_EQ(parse("v: 256 KiB").bytes("v", 0, 0, UINT64_MAX), 262144u);
  EXPECT_EQ(parse("v: 3MiB").bytes("v", 0, 0, UINT64_MAX), 3u << 20);
  EXPECT_EQ(parse("v: 2 GiB").bytes("v", 0, 0, UINT64_MAX), 2ull << 30);
  EXPECT_EQ(parse("v: 17").bytes("v", 0, 0, UINT64_MAX), 17u);
  EXPECT_EQ(parse("w: 17").bytes("v", 9, 0, 10), 9u);
  const auto read = [](const Settings& v) { v.bytes(1, 1048576); };
  EXPECT_EQ(
      value_failure("2 MiB", read),
      "x.yaml:1:4: error: found '2 MiB', a number of bytes from 1 to 1048576 is accepted, or a number of KiB, MiB or "
      "GiB such as '256 KiB'");
  for (const char* text : {"-1", "1 KB", "1  KiB", "KiB", "1.5 KiB", "18446744073709551615 GiB", "0"})
    EXPECT_THAT(value_failure(text, read), testing::HasSubstr("is accepted")) << text;
}

TEST(SettingsTest, DemandsTheRightShape) {
  EXPECT_EQ(value_failure("5", [](const Settings& v) { v.entries(); }),
            "x.yaml:1:4: error: found '5', a map of keys and values is accepted");
  EXPECT_EQ(value_failure("{a: 1}", [](const Settings& v) { v.items(); }),
            "x.yaml:1:4: error: found a map, a list is accepted");
}

TEST(SettingsTest, LeavesOneKeyOutWithoutTouchingTheRest) {
  const Settings all = parse("plugin: a\nmode: b\n");
  const Settings rest = all.without("plugin");
  EXPECT_EQ(rest.entries().size(), 1u);
  EXPECT_EQ(rest.find("mode")->position(), "x.yaml:2:7");
  EXPECT_EQ(all.entries().size(), 2u);
}

TEST(SettingsTest, AScalarOfNoFileComplainsUnderItsOwnName) {
  EXPECT_EQ(Settings::scalar("8080", "PBOTVM_SERVER").integer(1, 65535), 8080);
  EXPECT_EQ(failure([] { Settings::scalar("x", "PBOTVM_SERVER").integer(1, 65535); }),
            "PBOTVM_SERVER: error: found 'x', a whole number from 1 to 65535 is accepted");
}

TEST(SettingsTest, OutlivesItsDocument) {
  std::optional<Settings> view;
  { view = parse("a: {b: text}").find("a"); }
  EXPECT_EQ(view->text("b", ""), "text");
}

TEST(NearestTest, FindsAWordThatIsAtMostAThirdAway) {
  EXPECT_EQ(nearest("sever", {"server", "seven-up"}), "server");
  EXPECT_EQ(nearest("TIMEOUT", {"timeout"}), "timeout");
  EXPECT_EQ(nearest("tiemout", {"timeout"}), "timeout");
  EXPECT_EQ(nearest("colour", {"timeout", "server"}), "");
  EXPECT_EQ(nearest("x", {"y"}), "");
  EXPECT_EQ(nearest("x", {}), "");
}

}  // namespace
}  // namespace pbotvm
