// SPDX-License-Identifier: MIT
// Files that are taken back from a job, and trees made to hurt whoever walks them.

#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>

#include "guest_process.h"

namespace pbotvm::guest_test {
namespace {

using protocol::FrameType;
using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using namespace std::chrono_literals;

class GuestCollection : public testing::Test {
 protected:
  GuestCollection() { client.hello({}, 2); }

  JobOutcome collect(const std::string& code, std::vector<std::string> patterns, std::uint32_t files = 0,
                     std::uint64_t bytes = 0) {
    Job job = shell_job(code);
    job.limits.file_size = 1ULL << 40;
    job.collection = {std::move(patterns), files, bytes};
    return client.run(job);
  }
  Guest guest;
  Client client = guest.connect();
};

std::vector<std::string> paths(const JobOutcome& outcome) {
  std::vector<std::string> all;
  for (const auto& file : outcome.collected.value().files) all.push_back(file.path);
  return all;
}

/// "path: why" of each.
std::vector<std::string> left(const JobOutcome& outcome) {
  std::vector<std::string> all;
  for (const auto& entry : outcome.collected.value().left_behind) all.push_back(entry.path + ": " + entry.why);
  return all;
}

void expect_whole(const JobOutcome& outcome) {
  for (std::size_t i = 0; i < outcome.files.size(); ++i) {
    EXPECT_EQ(outcome.files[i].size(), outcome.collected->sizes[i]) << outcome.collected->files[i].path;
  }
}

TEST_F(GuestCollection, files_come_back_by_path_with_content_and_mode) {
  const auto outcome = collect(
      "mkdir -p d/e; printf '\\000\\377\\n' > d/e/bin; echo b > b.txt; echo a > a.txt; chmod 751 b.txt; : > empty.txt;"
      "echo no > c.dat",
      {"*.txt", "d/**"});
  EXPECT_THAT(paths(outcome), ElementsAre("a.txt", "b.txt", "d/e/bin", "empty.txt"));
  EXPECT_THAT(outcome.files, ElementsAre("a\n", "b\n", std::string("\0\xff\n", 3), ""));
  EXPECT_EQ(outcome.collected->files[1].mode, 0751u);
  EXPECT_EQ(outcome.collected->files[0].mode, 0644u);
  EXPECT_THAT(left(outcome), IsEmpty());
  EXPECT_EQ(outcome.ending.value().limit, Limit::none);
  EXPECT_TRUE(outcome.clean);
}

TEST_F(GuestCollection, a_job_that_asks_for_nothing_gets_no_list) {
  EXPECT_FALSE(client.run(shell_job("echo x > file")).collected);
}

TEST_F(GuestCollection, patterns_mean_what_they_say) {
  const std::string make =
      "mkdir -p a/b/c x; for f in one two.c a/one a/b/one a/b/c/one .hidden 'br[x]' x/y '\xc3\xa4'; do echo > \"$f\"; "
      "done";
  const auto found = [&](std::vector<std::string> patterns) { return paths(collect(make, std::move(patterns))); };
  EXPECT_THAT(found({"one"}), ElementsAre("one"));
  EXPECT_THAT(found({"**/one"}), ElementsAre("a/b/c/one", "a/b/one", "a/one", "one"));
  EXPECT_THAT(found({"a/**/one"}), ElementsAre("a/b/c/one", "a/b/one", "a/one"));
  EXPECT_THAT(found({"a/*/one"}), ElementsAre("a/b/one"));
  EXPECT_THAT(found({"*/?"}), ElementsAre("x/y"));
  EXPECT_THAT(found({"?"}), ElementsAre("\xc3\xa4"));
  EXPECT_THAT(found({"[!a-z]*"}), ElementsAre(".hidden", "\xc3\xa4"));
  EXPECT_THAT(found({"*[[]x]"}), ElementsAre("br[x]"));
  EXPECT_THAT(found({"tw[o].[bc]", "t*c", "nothing"}), ElementsAre("two.c"));
  EXPECT_THAT(found({"**"}), SizeIs(10));  // and prog.sh
}

TEST_F(GuestCollection, links_devices_and_pipes_are_left_behind_and_said_so) {
  const auto outcome = collect(
      "ln -s /etc/passwd link; ln -s nowhere broken; mkfifo pipe; ln -s /etc dir; mkdir real; echo x > real/passwd;"
      "mv real other; ln -s other real; echo fine > file",
      {"*", "dir/passwd", "real/passwd", "pipe"});
  EXPECT_THAT(paths(outcome), ElementsAre("file", "prog.sh"));
  EXPECT_THAT(left(outcome),
              ElementsAre("broken: a link", "dir: a link", "link: a link", "pipe: not a regular file", "real: a link"));
}

TEST_F(GuestCollection, what_exceeds_a_bound_is_named_and_the_rest_comes) {
  const auto outcome = collect("for i in 1 2 3 4 5; do echo $i > f$i; done; head -c 100 /dev/zero > f3", {"f*"}, 3, 50);
  EXPECT_THAT(paths(outcome), ElementsAre("f1", "f2", "f4"));
  EXPECT_THAT(left(outcome), ElementsAre("f3: more than 50 bytes together", "f5: more than 3 files"));
}

TEST_F(GuestCollection, defaults_are_64_files_and_4_MiB) {
  const auto many = collect("i=0; while [ $i -lt 70 ]; do : > f$i; i=$((i+1)); done", {"f*"});
  EXPECT_THAT(paths(many), SizeIs(64));
  EXPECT_THAT(left(many), SizeIs(6));
  const auto large = collect("head -c 4194304 /dev/zero > a; echo > b", {"?"});
  EXPECT_THAT(paths(large), ElementsAre("a"));
  EXPECT_THAT(large.files, ElementsAre(std::string(4 << 20, '\0')));
}

TEST_F(GuestCollection, a_huge_sparse_file_costs_nothing) {
  const auto outcome = collect("truncate -s 1000000000000 huge 2>/dev/null; echo x > small", {"**"});
  EXPECT_THAT(outcome.files, ElementsAre(testing::_, "x\n"));
  EXPECT_THAT(left(outcome), ElementsAre("huge: more than 4194304 bytes together"));
}

TEST_F(GuestCollection, names_may_hold_anything_that_is_text) {
  const auto outcome =
      collect("echo 1 > 'new\nline'; echo 2 > ' \"quoted\" {}'; echo 3 > \"$(printf 'bad\\377name')\"", {"*[!h]"});
  EXPECT_THAT(paths(outcome), ElementsAre(" \"quoted\" {}", "new\nline"));
  EXPECT_THAT(left(outcome), ElementsAre("bad\xEF\xBF\xBDname: its name is not UTF-8"));
}

TEST_F(GuestCollection, a_tree_of_many_entries_is_walked_within_bounds) {
  // As many as the job's place takes, which may be fewer than so many.
  Job job = shell_job("mkdir many; cd many; seq -f 'echo > %.0f' 60000 | sh 2>/dev/null; echo made");
  job.limits.wall = 60s;
  job.limits.cpu = 60s;
  job.collection.patterns = {"**/no-such-file", "prog.sh"};
  const auto outcome = client.run(job);
  EXPECT_EQ(outcome.out(), "made\n");
  if (left(outcome).empty()) {
    EXPECT_THAT(paths(outcome), ElementsAre("prog.sh"));
  } else {
    EXPECT_THAT(left(outcome), ElementsAre(HasSubstr("many: not searched")));
  }
  EXPECT_EQ(client.run(shell_job("echo next")).out(), "next\n");
}

TEST_F(GuestCollection, a_deep_tree_is_walked_within_bounds) {
  const auto outcome = collect(
      "d=dddddddddddddddddddd; i=0; while [ $i -lt 300 ]; do mkdir $d; cd -P $d || break; i=$((i+1)); done; echo > "
      "deep",
      {"**/deep", "prog.sh"});
  EXPECT_THAT(paths(outcome), ElementsAre("prog.sh"));
  ASSERT_THAT(left(outcome), SizeIs(1));
  EXPECT_THAT(left(outcome)[0], HasSubstr("deeper than"));
}

TEST_F(GuestCollection, what_may_not_be_read_is_left_behind) {
  if (geteuid() != 0) GTEST_SKIP() << "the job's user would be this one";
  const auto outcome = collect("echo x > secret; chmod 0 secret; mkdir closed; chmod 0 closed", {"secret", "closed/*"});
  EXPECT_THAT(left(outcome), ElementsAre("closed: Permission denied", "secret: Permission denied"));
}

TEST_F(GuestCollection, processes_that_are_left_cannot_change_what_is_taken) {
  const auto outcome = collect(
      "(while :; do echo x >> grows; ln -sf /etc/passwd grows.new; mv grows.new grows; rm grows; done) &"
      "while :; do test -e stable && break; echo stays > stable; done; sleep 0.2",
      {"*"});
  expect_whole(outcome);
  EXPECT_THAT(paths(outcome), testing::Contains("stable"));
  for (const auto& content : outcome.files) EXPECT_THAT(content, testing::Not(HasSubstr("root:")));
}

TEST_F(GuestCollection, content_waits_for_the_credit_that_output_has_not_used) {
  Job job = shell_job("head -c 100000 /dev/zero; head -c 1000000 /dev/zero > big");
  job.collection.patterns = {"big"};
  client.start(1, job);
  std::size_t bytes = 0;
  while (bytes < protocol::initial_output_credit) {
    const auto frame = client.next();
    ASSERT_TRUE(frame);
    if (frame->type == FrameType::output) bytes += frame->payload.size() - 5;
    if (frame->type == FrameType::file) bytes += frame->payload.size() - 4;
  }
  EXPECT_EQ(bytes, protocol::initial_output_credit);
  EXPECT_FALSE(client.next(200ms));
  client.send(FrameType::credit, 1, protocol::encode_credit(1 << 20));
  while (bytes < 1'100'000) {
    const auto frame = client.next();
    ASSERT_TRUE(frame);
    ASSERT_EQ(frame->type, FrameType::file);
    bytes += frame->payload.size() - 4;
  }
  EXPECT_TRUE(client.finish(1).clean);
}

TEST_F(GuestCollection, a_job_that_is_cancelled_or_late_gives_nothing) {
  Job late = shell_job("echo x > file; sleep 100");
  late.limits.wall = 300ms;
  late.collection.patterns = {"*"};
  const auto outcome = client.run(late);
  EXPECT_EQ(outcome.ending.value().limit, Limit::wall);
  EXPECT_FALSE(outcome.collected);
  client.start(1, late);
  client.send(FrameType::cancel, 1, "");
  EXPECT_FALSE(client.finish(1).collected);
}

TEST_F(GuestCollection, a_job_that_a_limit_ended_gives_nothing) {
  Job loud = shell_job("echo x > file; yes");
  loud.limits.output = 1000;
  Job busy = shell_job("echo x > file; while :; do :; done");
  busy.limits.cpu = 300ms;
  for (auto* job : {&loud, &busy}) {
    job->collection.patterns = {"*"};
    const auto outcome = client.run(*job);
    EXPECT_THAT(outcome.ending.value().limit, AnyOf(Limit::output, Limit::cpu));
    EXPECT_FALSE(outcome.collected);
    EXPECT_EQ(client.run(shell_job("echo next")).out(), "next\n");
  }
}

TEST_F(GuestCollection, patterns_that_take_long_end_the_search_and_not_its_result) {
  // Of every place in a name each pattern finds only at its end that it does not fit.
  const std::string name(200, 'a');
  Job job = shell_job("touch first; mkdir z; cd z; seq -f " + name + "%.0f 8000 | xargs touch");
  job.limits.wall = job.limits.cpu = 60s;
  for (int i = 0; i < 60; ++i) {
    job.collection.patterns.push_back("z/**/*" + std::string(120, 'a') + "b" + std::to_string(i));
  }
  job.collection.patterns.push_back("first");
  const auto begun = std::chrono::steady_clock::now();
  const auto outcome = client.run(job);
  EXPECT_THAT(paths(outcome), ElementsAre("first"));
  EXPECT_THAT(left(outcome), ElementsAre("z: not searched further: out of time"));
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 60s);
}

TEST_F(GuestCollection, a_failed_job_still_gives_its_files) {
  const auto outcome = collect("echo x > file; exit 3", {"file"});
  EXPECT_THAT(outcome.files, ElementsAre("x\n"));
  EXPECT_EQ(outcome.steps.at(0).exit_code, 3);
}

TEST_F(GuestCollection, cancelling_while_content_waits_ends_the_job) {
  Job job = shell_job("head -c 1000000 /dev/zero > big");
  job.collection.patterns = {"big"};
  client.start(1, job);
  std::size_t bytes = 0;
  while (bytes < protocol::initial_output_credit) {
    const auto frame = client.next();
    ASSERT_TRUE(frame);
    if (frame->type == FrameType::file) bytes += frame->payload.size() - 4;
  }
  client.send(FrameType::cancel, 1, "");
  EXPECT_EQ(client.finish(1).ending.value().limit, Limit::cancelled);
  EXPECT_EQ(client.run(shell_job("echo next")).out(), "next\n");
}

}  // namespace
}  // namespace pbotvm::guest_test
