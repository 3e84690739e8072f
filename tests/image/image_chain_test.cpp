// SPDX-License-Identifier: MIT
#include "image/image_chain.h"

#include <gmock/gmock.h>

#include "image_folder.h"
#include "pbotvm/error.h"

namespace pbotvm::image {
namespace {

namespace fs = std::filesystem;
using pbotvm::testing::Qcow2;
using pbotvm::testing::refusal;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ImageChain : public pbotvm::testing::ImageFolder {
 protected:
  static Qcow2 on(const std::string& base, const std::string& format = "qcow2") {
    return {.backing = base, .backing_format = format};
  }

  // layer0 stands alone, layer1 lies on it, and so on.
  fs::path stack(std::size_t count) {
    fs::path top = write("layer0", Qcow2{});
    for (std::size_t i = 1; i < count; ++i)
      top = write("layer" + std::to_string(i), on("layer" + std::to_string(i - 1)));
    return top;
  }
};

TEST_F(ImageChain, IsReadFromTheTopToTheBottom) {
  write("base.raw", std::string(4096, 'x'));
  write("sub/middle", on("../base.raw", "raw"));
  const auto chain = read_chain(write("top", on("sub/middle")));
  ASSERT_EQ(3u, chain.size());
  EXPECT_EQ(folder_ / "top", chain[0].file);
  EXPECT_EQ(folder_ / "sub/middle", chain[1].file);
  EXPECT_EQ(folder_ / "base.raw", chain[2].file);
  EXPECT_EQ(Format::raw, chain[2].header.format);
}

TEST_F(ImageChain, ARawDiskStaysRawWhateverAMachineWroteToIt) {
  const auto bottom = write("base.raw", on("/etc/passwd", "raw"));
  const auto chain = read_chain(write("top", on("base.raw", "raw")));
  ASSERT_EQ(2u, chain.size());
  EXPECT_EQ(Format::raw, chain[1].header.format);
  EXPECT_EQ(fs::file_size(bottom), chain[1].header.virtual_size);
}

TEST_F(ImageChain, ALoopIsRefused) {
  write("a", on("b"));
  write("b", on("c"));
  EXPECT_THAT(refusal([&] { read_chain(write("c", on("a"))); }), HasSubstr("lies on itself"));
  EXPECT_THAT(refusal([&] { read_chain(write("self", on("self"))); }), HasSubstr("lies on itself"));
}

TEST_F(ImageChain, ALoopByWayOfALinkIsRefused) {
  fs::create_hard_link(write("a", on("b")), folder_ / "b");
  EXPECT_THAT(refusal([&] { read_chain(folder_ / "a"); }), HasSubstr("lies on itself"));
}

TEST_F(ImageChain, HasAtMost64Layers) {
  EXPECT_EQ(max_layers, read_chain(stack(max_layers)).size());
  EXPECT_THAT(refusal([&] { read_chain(stack(max_layers + 1)); }), HasSubstr("more than 64 layers"));
}

TEST_F(ImageChain, NoLayerMayNameAProtocol) {
  write("middle", on("nbd:127.0.0.1:10809", "raw"));
  EXPECT_THAT(refusal([&] { read_chain(write("top", on("middle"))); }), HasSubstr("no local file"));
  EXPECT_THAT(refusal([&] { read_chain(write("json", on("json:{\"driver\":\"nbd\"}", "raw"))); }),
              HasSubstr("no local file"));
}

TEST_F(ImageChain, SaysWhichLayerIsMissingAndWhatToDo) {
  const auto text = refusal([&] { read_chain(write("top", on("gone"))); });
  EXPECT_THAT(text, HasSubstr((folder_ / "gone").string() + ", which does not exist"));
  EXPECT_THAT(text, HasSubstr("rebase --unsafe"));
}

TEST_F(ImageChain, AWrongFormatIsRefused) {
  write("base", std::string(4096, 'x'));
  EXPECT_THAT(refusal([&] { read_chain(write("top", on("base", "qcow2"))); }), HasSubstr("for qcow2, but it is raw"));
  EXPECT_THAT(refusal([&] { read_chain(write("other", on("base", "vmdk"))); }), HasSubstr("for vmdk"));
}

TEST_F(ImageChain, OverlaysAreFoundInADirectoryAndOneBelow) {
  const auto base = write("base", Qcow2{});
  const auto near = write("near", on("base")), far = write("sub/far", on("../base"));
  const auto upon = write("upon", on("near"));
  write("sub/sub/too-far", on("../../base"));
  write("text", "no image");
  write("broken", "QFI\xfb");
  fs::create_symlink("near", folder_ / "link");
  const auto search = find_overlays({folder_});
  EXPECT_TRUE(search.complete);
  EXPECT_THAT(search.on(base), ElementsAre(near, far));
  EXPECT_THAT(search.on(near), ElementsAre(upon));
  EXPECT_THAT(search.on(far), IsEmpty());
}

TEST_F(ImageChain, OneDirectoryGivenTwiceIsLookedThroughOnce) {
  write("base", Qcow2{});
  write("near", on("base"));
  EXPECT_EQ(1u, find_overlays({folder_, folder_}).overlays.size());
}

}  // namespace
}  // namespace pbotvm::image
