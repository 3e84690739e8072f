// SPDX-License-Identifier: MIT
#include "qemu_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "temporary_directory.h"

namespace pbotvm::qemu {
namespace {

using pbotvm::testing::TemporaryDirectory;
using pbotvm::testing::write_text;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string search_path = "/nonexistent:/bin";

QemuSettings read(const std::string& text, const std::string& path = search_path) {
  return read_settings(Settings::parse(text, "p.yaml"), path);
}

std::string complaint(const std::string& text, const std::string& path = search_path) {
  try {
    read(text, path);
  } catch (const ConfigurationError& error) {
    return error.what();
  }
  return "no complaint";
}

TEST(QemuSettings, HaveDefaults) {
  const QemuSettings settings = read("{plugin: qemu, binary: sh}");
  EXPECT_EQ(1024u, settings.memory_mib);
  EXPECT_EQ(read("{cpus: auto, binary: sh}").cpus, settings.cpus);
  EXPECT_LE(1, settings.cpus);
  EXPECT_LE(settings.cpus, 8);
  EXPECT_EQ(Acceleration::automatic, settings.accel);
  EXPECT_EQ("", settings.cpu);
  EXPECT_EQ("/bin/sh", settings.binary);
  EXPECT_TRUE(settings.extra.empty());
  EXPECT_FALSE(settings.outlive);
  EXPECT_TRUE(read("{outlive: true, binary: sh}").outlive);
}

TEST(QemuSettings, AreReadFromTheMap) {
  const QemuSettings settings = read(
      "{memory: 512 MiB, cpus: 2, accel: tcg, cpu: \"qemu64,+avx\", binary: /bin/sh, append: debug,"
      " extra: [-device, pvpanic]}");
  EXPECT_EQ(512u, settings.memory_mib);
  EXPECT_EQ(2, settings.cpus);
  EXPECT_EQ(Acceleration::tcg, settings.accel);
  EXPECT_EQ("qemu64,+avx", settings.cpu);
  EXPECT_EQ("debug", settings.append);
  EXPECT_THAT(settings.extra, ElementsAre("-device", "pvpanic"));
}

TEST(QemuSettings, ComplainAtTheirPlace) {
  EXPECT_THAT(complaint("{memry: 1 GiB}"), StartsWith("p.yaml:1:2: error:"));
  EXPECT_THAT(complaint("{memory: 64 MiB}"), StartsWith("p.yaml:1:10: error:"));
  EXPECT_THAT(complaint("{memory: 268435457}"), HasSubstr("whole MiB"));
  EXPECT_THAT(complaint("{cpus: 0}"), StartsWith("p.yaml:1:8: error:"));
  EXPECT_THAT(complaint("{accel: hvf}"), StartsWith("p.yaml:1:9: error: accel is 'hvf'"));
  EXPECT_THAT(complaint("{cpu: \"\"}"), HasSubstr("cpu is empty"));
  EXPECT_THAT(complaint("{binary: sh, extra: -s}"), HasSubstr("extra is no list"));
  EXPECT_THAT(complaint("{binary: sh, boot: floppy}"), StartsWith("p.yaml:1:20: error: boot is 'floppy'"));
  EXPECT_THAT(complaint("{binary: sh, boot: disk}"), HasSubstr("there are no disks"));
  EXPECT_THAT(complaint("{binary: sh, append: \"a\\nb\"}"), HasSubstr("control character"));
  EXPECT_THAT(complaint("{binary: sh, append: " + std::string(1501, 'x') + "}"), HasSubstr("append has 1501 bytes"));
}

TEST(QemuSettings, SayHowToGetQemuWhereThereIsNone) {
  EXPECT_THAT(complaint("{}", "/nonexistent"), HasSubstr("apt-get install qemu-system-x86"));
  EXPECT_THAT(complaint("{binary: /nonexistent/qemu}"), StartsWith("p.yaml:1:10: error: QEMU '/nonexistent/qemu'"));
  EXPECT_THAT(complaint("{binary: bin/qemu}"), HasSubstr("absolute path"));
}

TEST(QemuSettings, TakeNoFileForAProgramThatIsNone) {
  const TemporaryDirectory directory;
  write_text(directory.file("qemu"), "no program");
  EXPECT_THAT(complaint("{binary: " + directory.file("qemu") + "}"), HasSubstr("no program"));
  EXPECT_THAT(complaint("{binary: " + directory.path().string() + "}"), HasSubstr("no program"));
}

TEST(QemuAcceleration, IsWhatWasAskedFor) {
  EXPECT_EQ(Acceleration::tcg, choose_acceleration(Acceleration::tcg));
  EXPECT_EQ(Acceleration::kvm, choose_acceleration(Acceleration::kvm));
}

TEST(QemuAcceleration, IsNotKvmWhereTheProcessorHasNoVirtualisation) {
  std::string flags;
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line) && flags.empty();)
    if (line.starts_with("flags")) flags = line + " ";
  if (flags.find(" vmx ") != std::string::npos || flags.find(" svm ") != std::string::npos)
    GTEST_SKIP() << "this processor has it";
  EXPECT_EQ(Acceleration::tcg, choose_acceleration(Acceleration::automatic));
}

}  // namespace
}  // namespace pbotvm::qemu
