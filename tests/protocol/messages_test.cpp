// SPDX-License-Identifier: MIT
#include "protocol/messages.h"

#include <gmock/gmock.h>

namespace pbotvm::protocol {
namespace {

using testing::HasSubstr;
using testing::ThrowsMessage;

Job full_job() {
  Job job;
  job.files = {{"prog.sh", "echo", 0644}, {"dir/tool", std::string("\0x", 2), 0755}};
  Step compile{"compile", {"cc", "prog.c"}, {{"LANG", "C"}, {"EMPTY", ""}}, false, When::always};
  Step run{"run", {"./prog", "", "ä"}, {}, true, When::after_success};
  Step explain{"explain", {"gdb"}, {}, false, When::after_crash};
  job.steps = {compile, run, explain};
  job.input = "12345";
  job.limits.wall = std::chrono::milliseconds(10000);
  job.limits.cpu = std::chrono::milliseconds(9000);
  job.limits.output = 1;
  job.limits.memory = 2;
  job.limits.processes = 3;
  job.limits.file_size = 4;
  job.limits.open_files = 5;
  return job;
}

TEST(JobMessage, comes_back_with_sizes_instead_of_content) {
  const Job job = full_job();
  const AnnouncedJob announced = decode_job(encode(job));
  ASSERT_EQ(announced.job.files.size(), 2u);
  EXPECT_EQ(announced.job.files[1].path, "dir/tool");
  EXPECT_EQ(announced.job.files[1].mode, 0755u);
  EXPECT_EQ(announced.job.files[1].content, "");
  EXPECT_THAT(announced.file_sizes, testing::ElementsAre(4, 2));
  EXPECT_EQ(announced.input_size_hint, 5u);
  ASSERT_EQ(announced.job.steps.size(), 3u);
  EXPECT_EQ(announced.job.steps[0].environment, job.steps[0].environment);
  EXPECT_EQ(announced.job.steps[0].when, When::always);
  EXPECT_EQ(announced.job.steps[1].argv, job.steps[1].argv);
  EXPECT_TRUE(announced.job.steps[1].reads_input);
  EXPECT_EQ(announced.job.steps[2].when, When::after_crash);
  EXPECT_EQ(announced.job.limits.wall, job.limits.wall);
  EXPECT_EQ(announced.job.limits.open_files, 5u);
}

TEST(JobMessage, leaves_out_what_is_the_default) {
  Job job;
  job.steps = {{"", {"true"}, {}, false, When::after_success}};
  EXPECT_EQ(encode(job), R"({"steps":[{"argv":["true"]}]})");
}

TEST(JobMessage, text_that_is_not_utf8_is_refused_when_it_is_written) {
  Job job;
  job.steps = {{"", {"echo", "\xff"}, {}, false, When::after_success}};
  EXPECT_THROW(encode(job), MessageError);
}

struct BadJob {
  const char* text;
  const char* complaint;
};

const BadJob bad_jobs[] = {
    BadJob{"", "not JSON"},
    BadJob{"{", "not JSON"},
    BadJob{"[]", "not a JSON object"},
    BadJob{"\xff\xfe", "not JSON"},
    BadJob{R"({"steps":[{"argv":["a\xff"]}]})", "not JSON"},
    BadJob{"{}", "steps: none"},
    BadJob{R"({"steps":{}})", "steps: not an array"},
    BadJob{R"({"steps":[5]})", "steps: not an object"},
    BadJob{R"({"steps":[{"argv":[]}]})", "argv"},
    BadJob{R"({"steps":[{"argv":[""]}]})", "argv"},
    BadJob{R"({"steps":[{"argv":"sh"}]})", "argv: not an array"},
    BadJob{R"({"steps":[{"argv":["a\u0000b"]}]})", "NUL"},
    BadJob{R"({"steps":[{"argv":["a"],"env":[["A=B","c"]]}]})", "env"},
    BadJob{R"({"steps":[{"argv":["a"],"env":[["A"]]}]})", "env: not a pair"},
    BadJob{R"({"steps":[{"argv":["a"],"when":"never"}]})", "when: unknown"},
    BadJob{R"({"steps":[{"argv":["a"],"input":1}]})", "input: neither"},
    BadJob{R"({"steps":[{"argv":["a"]}],"input":-1})", "input: out of range"},
    BadJob{R"({"steps":[{"argv":["a"]}],"limits":{"wall_ms":1e9}})", "wall_ms: not an integer"},
    BadJob{R"({"steps":[{"argv":["a"]}],"limits":{"wall_ms":99999999999}})", "wall_ms: out of range"},
    BadJob{R"({"steps":[{"argv":["a"]}],"limits":{"memory":18446744073709551615}})", "memory: out of range"},
    BadJob{R"({"files":[{"path":"/etc/passwd"}]})", "path: absolute"},
    BadJob{R"({"files":[{"path":"../x"}]})", "path"},
    BadJob{R"({"files":[{"path":"a/../../x"}]})", "path"},
    BadJob{R"({"files":[{"path":"a//b"}]})", "path"},
    BadJob{R"({"files":[{"path":"a/"}]})", "path"},
    BadJob{R"({"files":[{"path":"."}]})", "path"},
    BadJob{R"({"files":[{"path":""}]})", "path"},
    BadJob{R"({"files":[{"path":"a\u0000"}]})", "NUL"},
    BadJob{R"({"files":[{"path":"a"},{"path":"a"}]})", "named twice"},
    BadJob{R"({"files":[{"path":"a","mode":2541}]})", "mode: out of range"},
    BadJob{R"({"files":[{"path":"a","size":16777217}]})", "size: out of range"},
    BadJob{R"({"files":[{"path":"a","size":16777216},{"path":"b","size":1}]})", "size"},
    BadJob{R"({"a":[[[[[[[[[[[[[]]]]]]]]]]]]]})", "nested too deeply"}};

TEST(JobMessage, anything_else_is_refused_and_the_field_is_named) {
  for (const BadJob& bad : bad_jobs) {
    EXPECT_THAT([&] { decode_job(bad.text); }, ThrowsMessage<MessageError>(HasSubstr(bad.complaint))) << bad.text;
  }
}

TEST(JobMessage, bounds_its_counts) {
  std::string steps, files, values;
  for (int i = 0; i < 17; ++i) steps += std::string(i ? "," : "") + R"({"argv":["a"]})";
  for (int i = 0; i < 257; ++i) files += std::string(i ? "," : "") + R"({"path":")" + std::to_string(i) + R"("})";
  for (int i = 0; i < 200'000; ++i) values += "0,";
  EXPECT_THAT([&] { decode_job(R"({"steps":[)" + steps + "]}"); },
              ThrowsMessage<MessageError>(HasSubstr("steps: more")));
  EXPECT_THAT([&] { decode_job(R"({"files":[)" + files + "]}"); },
              ThrowsMessage<MessageError>(HasSubstr("files: more")));
  EXPECT_THAT([&] { decode_job("{\"x\":[" + values + "0]}"); },
              ThrowsMessage<MessageError>(HasSubstr("too many values")));
  EXPECT_THAT([&] { decode_job(std::string(max_message + 1, ' ')); }, ThrowsMessage<MessageError>(HasSubstr("longer")));
}

TEST(Messages, unknown_keys_are_ignored) {
  EXPECT_TRUE(decode_clean(R"({"proven":true,"later":{"x":[1]}})").proven);
}

TEST(Messages, come_back_as_they_were_sent) {
  const Hello hello = decode_hello(encode(Hello{1700000000123456789, std::string(32, '\xe1'), {"sh", "gcc"}}));
  EXPECT_EQ(hello.time_ns, 1700000000123456789);
  EXPECT_EQ(hello.seed, std::string(32, '\xe1'));
  EXPECT_THAT(hello.tools, testing::ElementsAre("sh", "gcc"));

  const Welcome welcome =
      decode_welcome(encode(Welcome{"0.1.0", {{"cgroup", false, "why"}, {"user", true, ""}}, {"sh"}, 3}));
  EXPECT_EQ(welcome.containment.size(), 2u);
  EXPECT_EQ(welcome.containment[0].why, "why");
  EXPECT_TRUE(welcome.containment[1].given);
  EXPECT_EQ(welcome.slots, 3u);

  StepResult step;
  step.step = 2;
  step.label = "run";
  step.exit_code = 3;
  step.signal = 11;
  step.error = "perl: No such file or directory";
  step.wall = std::chrono::microseconds(1);
  step.user = std::chrono::microseconds(2);
  step.system = std::chrono::microseconds(3);
  step.peak_memory = 4;
  const StepResult back = decode_step(encode(step));
  EXPECT_EQ(back.step, 2u);
  EXPECT_EQ(back.exit_code, 3);
  EXPECT_EQ(back.signal, 11);
  EXPECT_EQ(back.error, step.error);
  EXPECT_EQ(back.system, step.system);
  EXPECT_EQ(back.peak_memory, 4u);

  const Ending ending = decode_ending(encode(Ending{Limit::output, 7, "e"}));
  EXPECT_EQ(ending.limit, Limit::output);
  EXPECT_EQ(ending.bytes_cut, 7u);
  EXPECT_EQ(ending.error, "e");
  EXPECT_EQ(decode_refusal(encode(Refusal{"busy", "t"})).code, "busy");
}

TEST(Messages, a_text_that_is_not_utf8_still_makes_a_message) {
  EXPECT_EQ(decode_clean(encode(Clean{false, "pid \xff"})).why, "pid \xEF\xBF\xBD");
}

TEST(Messages, every_limit_has_a_name_of_its_own) {
  for (int i = 0; i <= static_cast<int>(Limit::cancelled); ++i) {
    EXPECT_EQ(limit_from_name(limit_name(static_cast<Limit>(i))), static_cast<Limit>(i));
  }
  EXPECT_FALSE(limit_from_name("nosuch"));
}

TEST(HelloMessage, needs_a_time_and_a_seed) {
  EXPECT_THROW(decode_hello(R"({"seed":")" + std::string(64, '0') + "\"}"), MessageError);
  EXPECT_THROW(decode_hello(R"({"time_ns":1})"), MessageError);
  EXPECT_THROW(decode_hello(R"({"time_ns":-1,"seed":")" + std::string(64, '0') + "\"}"), MessageError);
  EXPECT_THROW(decode_hello(R"({"time_ns":1,"seed":")" + std::string(64, 'z') + "\"}"), MessageError);
}

TEST(StepMessage, values_out_of_range_are_refused) {
  EXPECT_THROW(decode_step(R"({"step":16})"), MessageError);
  EXPECT_THROW(decode_step(R"({"exit":256})"), MessageError);
  EXPECT_THROW(decode_step(R"({"signal":-1})"), MessageError);
  EXPECT_THROW(decode_step(R"({"wall_us":"1"})"), MessageError);
}

TEST(BinaryPayloads, come_back_and_short_ones_are_refused) {
  const OutputChunk chunk = decode_output(encode_output(3, Stream::err, std::string("a\0b", 3)));
  EXPECT_EQ(chunk.step, 3u);
  EXPECT_EQ(chunk.stream, Stream::err);
  EXPECT_EQ(chunk.bytes, std::string("a\0b", 3));
  EXPECT_THROW(decode_output(std::string(4, '\0')), MessageError);
  EXPECT_THROW(decode_output(std::string(5, '\0')), MessageError);  // no stream 0
  EXPECT_THROW(decode_output(encode_output(16, Stream::out, "")), MessageError);

  const std::string piece = encode_file_piece(255, "x");
  EXPECT_EQ(decode_file_piece(piece).index, 255u);
  EXPECT_EQ(decode_file_piece(piece).bytes, "x");
  EXPECT_THROW(decode_file_piece("abc"), MessageError);
  EXPECT_THROW(decode_file_piece(encode_file_piece(256, "")), MessageError);

  EXPECT_EQ(decode_credit(encode_credit(0xdeadbeef)), 0xdeadbeefu);
  EXPECT_THROW(decode_credit("abc"), MessageError);
}

TEST(MessageAssembler, joins_frames_and_bounds_the_whole) {
  MessageAssembler assembler;
  EXPECT_FALSE(assembler.add("ab", true));
  EXPECT_EQ(assembler.add("cd", false), "abcd");
  EXPECT_EQ(assembler.add("e", false), "e");
  EXPECT_FALSE(assembler.add(std::string(max_message, 'x'), true));
  EXPECT_THROW(assembler.add("y", true), MessageError);
  EXPECT_EQ(assembler.add("fresh", false), "fresh");
  EXPECT_THROW(assembler.add("", true), MessageError);
  MessageAssembler small(3);
  EXPECT_THROW(small.add("four", false), MessageError);
  EXPECT_EQ(small.add("abc", false), "abc");
}

TEST(CollectedMessage, comes_back_as_it_was_sent) {
  Collected collected;
  collected.files = {{"a/b", "", 0755}, {"c", "", 0644}};
  collected.sizes = {7, 0};
  collected.left_behind = {{"d", "too large"}};
  const Collected back = decode_collected(encode(collected));
  EXPECT_EQ(back.files.at(0).path, "a/b");
  EXPECT_EQ(back.files.at(0).mode, 0755u);
  EXPECT_THAT(back.sizes, testing::ElementsAre(7, 0));
  EXPECT_EQ(back.left_behind.at(0).why, "too large");
}

TEST(JobMessage, brings_directories_and_what_is_to_be_taken_back) {
  Job job = full_job();
  job.directories = {"out", "a/b"};
  job.collection = {{"out/**", "*.txt"}, 3, 4};
  const Job back = decode_job(encode(job)).job;
  EXPECT_EQ(back.directories, job.directories);
  EXPECT_EQ(back.collection.patterns, job.collection.patterns);
  EXPECT_EQ(back.collection.files, 3u);
  EXPECT_EQ(back.collection.bytes, 4u);
}

TEST(StepMessage, carries_its_own_limit) {
  StepResult step;
  step.limit = Limit::file_size;
  step.bytes_cut = 9;
  const StepResult back = decode_step(encode(step));
  EXPECT_EQ(back.limit, Limit::file_size);
  EXPECT_EQ(back.bytes_cut, 9u);
}

}  // namespace
}  // namespace pbotvm::protocol
