// SPDX-License-Identifier: MIT
// PBot's own dialect: what its host sends, and the bytes that it gets. The real program on Unix sockets.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "guest_process.h"
#include "options.h"
#include "pbot_job.h"
#include "pbot_request.h"

namespace pbotvm::guest_test {
namespace {

using guest::PbotError;
using guest::PbotReader;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Not;
using testing::SizeIs;
using testing::StartsWith;
using namespace std::chrono_literals;
using Json = nlohmann::json;

Json shell_request(const std::string& code) {
  return {{"lang", "sh"},          {"sourcefile", "prog.sh"}, {"execfile", "prog.sh"}, {"cmdline", "sh prog.sh"},
          {"input", "A fortune."}, {"date", 1795225175},      {"arguments", ""},       {"code", code}};
}

Json c_request(const std::string& code, const std::string& options = "-Wall -Wextra -std=c11") {
  return {{"lang", "c11"},         {"sourcefile", "prog.c"},
          {"execfile", "prog"},    {"cmdline", "gcc " + options + " prog.c -o prog"},
          {"input", "A fortune."}, {"date", "1795225175"},
          {"arguments", ""},       {"code", code}};
}

// As PBot's host cuts a request for a tty that takes no long lines.
std::string in_pieces(const Json& request, std::size_t piece = 4000, const std::string& newline = "\n") {
  const std::string text = request.dump(-1, ' ', true);
  std::string sent;
  for (std::size_t at = 0; at < text.size(); at += piece) sent += text.substr(at, piece) + newline;
  return sent + newline;
}

/// The program with one more socket to listen on, and a directory that every job may read.
class PbotGuest {
 public:
  explicit PbotGuest(std::vector<std::string> more = {}) : guest_(with_socket(std::move(more))) {}
  std::filesystem::path line() const { return directory_.path() / "pbot"; }
  const std::filesystem::path& directory() const { return directory_.path(); }

 private:
  std::vector<std::string> with_socket(std::vector<std::string> options) const {
    options.insert(options.end(), {"--listen", "unix:" + line().string()});
    return options;
  }

  TemporaryDirectory directory_;
  Guest guest_;
};

/// PBot's host, as far as it talks to a guest; and one that also speaks frames.
class PbotHost {
 public:
  explicit PbotHost(const PbotGuest& guest) : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    guest.line().native().copy(address.sun_path, sizeof address.sun_path - 1);
    const auto end = std::chrono::steady_clock::now() + patience;
    while (connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
      if (std::chrono::steady_clock::now() > end)
        throw std::runtime_error("nobody listens on " + guest.line().string());
      usleep(2000);  // there is no event that tells of a listener
    }
    reader_.keep_skipped();
  }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto size = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (size < 0) throw std::runtime_error("the guest closed the line");
      bytes.remove_prefix(static_cast<std::size_t>(size));
    }
  }
  void end_writing() { shutdown(fd_.get(), SHUT_WR); }

  /// The result of the answer that comes next, without the newline at its end.
  std::string result() {
    const std::string line = next_line();
    EXPECT_THAT(line, StartsWith("result:{"));
    EXPECT_EQ(next_line(), "result:end");
    std::string text = Json::parse(line.substr(line.find(':') + 1)).at("result");
    EXPECT_TRUE(text.ends_with('\n')) << text;
    text.pop_back();
    return text;
  }
  std::string ask(const Json& request) {
    send(in_pieces(request));
    return result();
  }
  std::string next_line() {
    while (text_.find('\n') == std::string::npos) {
      if (!read(patience)) throw std::runtime_error("the answer did not come whole: " + text_);
    }
    const std::size_t end = text_.find('\n');
    const std::string line = text_.substr(0, end);
    text_.erase(0, end + 1);
    return line;
  }
  /// Whether nothing comes for so long.
  bool silence(std::chrono::milliseconds time) { return text_.empty() && !read(time) && !at_end_; }
  bool at_end() { return text_.empty() && !read(patience) && at_end_; }

  protocol::Frame next_frame() {
    while (true) {
      auto frame = reader_.next();
      text_ += reader_.take_skipped();
      if (frame) return *std::move(frame);
      if (!read(patience)) throw std::runtime_error("a frame did not come");
    }
  }
  /// Bytes that are no frame.
  std::string text_until(std::string_view end) {
    while (!text_.ends_with(end)) {
      EXPECT_FALSE(reader_.next());
      text_ += reader_.take_skipped();
      if (!text_.ends_with(end) && !read(patience)) throw std::runtime_error("the text did not come: " + text_);
    }
    return std::exchange(text_, {});
  }
  void send_frame(protocol::FrameType type, std::uint32_t job, const std::string& payload) {
    std::string bytes;
    protocol::append_frame(bytes, {type, false, job, nonce_, payload});
    send(bytes);
  }
  void hello() {
    ++nonce_;
    send_frame(protocol::FrameType::hello, 0, protocol::encode(protocol::Hello{1, std::string(32, 's'), {}}));
    while (next_frame().type != protocol::FrameType::welcome) {
    }
  }
  std::string run_framed(const Job& job) {
    send_frame(protocol::FrameType::job, 1, protocol::encode(job));
    send_frame(protocol::FrameType::file, 1, protocol::encode_file_piece(0, job.files.at(0).content));
    send_frame(protocol::FrameType::input, 1, "");
    std::string printed;
    while (true) {
      const auto frame = next_frame();
      EXPECT_EQ(frame.job, 1u);
      if (frame.type == protocol::FrameType::output) printed += protocol::decode_output(frame.payload).bytes;
      if (frame.type == protocol::FrameType::clean) return printed;
      if (frame.type == protocol::FrameType::error) return frame.payload;
    }
  }

 private:
  // Whether bytes came.
  bool read(std::chrono::milliseconds wait) {
    pollfd ready{fd_.get(), POLLIN, 0};
    if (poll(&ready, 1, static_cast<int>(wait.count())) <= 0) return false;
    std::string bytes(64 * 1024, '\0');
    const auto size = recv(fd_.get(), bytes.data(), bytes.size(), 0);
    at_end_ = size <= 0;
    if (at_end_) return false;
    reader_.feed({bytes.data(), static_cast<std::size_t>(size)});
    if (nonce_ == 0) {
      EXPECT_FALSE(reader_.next());
      text_ += reader_.take_skipped();
    }
    return true;
  }

  UniqueFd fd_;
  protocol::FrameReader reader_;
  std::string text_;
  bool at_end_ = false;
  std::uint64_t nonce_ = 0;
};

std::string run(const Json& request) {
  PbotGuest guest;
  return PbotHost(guest).ask(request);
}

// ---- what comes in

std::vector<std::string> read_requests(const std::string& text, std::size_t piece = 1) {
  PbotReader reader;
  std::vector<std::string> requests;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    for (auto& found : reader.feed(std::string_view(text).substr(at, piece))) requests.push_back(found.json);
  }
  EXPECT_FALSE(reader.partial());
  return requests;
}

TEST(PbotReader, a_request_ends_with_an_empty_line_and_its_newlines_do_not_count) {
  for (const std::size_t piece : {1, 3, 1000}) {
    EXPECT_THAT(read_requests("{\"a\":\n\"b\"}\n\n", piece), ElementsAre("{\"a\":\"b\"}"));
    EXPECT_THAT(read_requests("\r\n\r\n{\"a\":\r\n1}\r\n\r\n", piece), ElementsAre("{\"a\":1}"));
  }
}

TEST(PbotReader, a_line_of_end_ends_a_request_too) {
  for (const std::size_t piece : {1, 4, 1000}) {
    EXPECT_THAT(read_requests("{\"a\":1}\n:end:\n{\"b\":\":end:\"}\r\n:end:\r\n", piece),
                ElementsAre("{\"a\":1}", "{\"b\":\":end:\"}"));
  }
}

TEST(PbotReader, what_stands_between_requests_is_passed_over) {
  EXPECT_THAT(read_requests("login: \n\n:end:\nresult:end\n{}\n\n  \n\n{1}\n\n"), ElementsAre("{}", "{1}"));
}

TEST(PbotReader, the_end_of_the_text_ends_a_request) {
  PbotReader reader;
  EXPECT_THAT(reader.feed("{\"a\":1}"), IsEmpty());
  EXPECT_EQ(reader.end().value().json, "{\"a\":1}");
  EXPECT_FALSE(reader.end());
  EXPECT_THAT(reader.feed("{}\n:end:"), IsEmpty());
  EXPECT_EQ(reader.end().value().json, "{}");
}

TEST(PbotReader, a_request_that_is_too_long_is_told_of_and_not_kept) {
  PbotReader reader;
  const std::string piece(1 << 20, 'x');
  EXPECT_THAT(reader.feed("{"), IsEmpty());
  for (int i = 0; i < 10; ++i) EXPECT_THAT(reader.feed(piece + "\n"), IsEmpty());
  const auto found = reader.feed("\n{}\n\n");
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_TRUE(found[0].too_long);
  EXPECT_THAT(found[0].json, IsEmpty());
  EXPECT_EQ(found[1].json, "{}");
  for (int i = 0; i < 5; ++i) reader.feed("{" + piece);
  EXPECT_THAT(reader.feed("\n:end:\n"), SizeIs(1));
}

TEST(PbotRequest, texts_may_be_numbers_and_missing_ones_are_empty) {
  const auto request = guest::parse_pbot_request(
      R"({"sourcefile":"x","cmdline":"cat x","code":5,"date":"1795225175","factoid":"1","input":null,"more":[{}]})");
  EXPECT_EQ(request.code, "5");
  EXPECT_EQ(request.input + request.arguments + request.language + request.persist_key, "");
  EXPECT_EQ(request.exec_file, "prog");
  EXPECT_EQ(request.date.value(), 1795225175);
  EXPECT_TRUE(request.factoid);
}

TEST(PbotRequest, what_is_no_request_is_refused_with_the_reason) {
  const auto complaint = [](const std::string& text) -> std::string {
    try {
      guest::parse_pbot_request(text);
    } catch (const PbotError& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(complaint("{\"code\":"), "Bad request: not JSON (at byte 9).");
  EXPECT_THAT(complaint("{\"code\":\"\xff\"}"), HasSubstr("not JSON"));
  EXPECT_EQ(complaint("{}"), "Bad request: no 'code'.");
  EXPECT_EQ(complaint(R"({"code":""})"), "Bad request: no 'sourcefile'.");
  EXPECT_EQ(complaint(R"({"code":"","sourcefile":"x"})"), "Bad request: no 'cmdline'.");
  EXPECT_EQ(complaint(R"({"code":[]})"), "Bad request: 'code' is not a text.");
  EXPECT_EQ(complaint(R"({"code":"","cmdline":"a\u0000b"})"), "Bad request: 'cmdline' holds a NUL.");
  for (const char* name : {"../x", "/etc/passwd", "a/b", ".", "..", "a\nb"}) {
    Json request = shell_request("");
    request["sourcefile"] = name;
    EXPECT_EQ(complaint(request.dump()), "Bad request: 'sourcefile' is not a plain file name.") << name;
    request = shell_request("");
    request["persist-key"] = name;
    EXPECT_EQ(complaint(request.dump()), "Bad request: 'persist-key' is not a plain file name.") << name;
  }
  EXPECT_EQ(complaint("{\"code\":" + std::string(1'000'000, '[')), "Bad request: nested too deeply.");
  EXPECT_EQ(complaint("{\"code\":[" + std::string(1'000'000, ',')), "Bad request: too many values.");
  EXPECT_EQ(complaint("{\"code\":1e999}"), "Bad request: a number that is too large.");
}

TEST(PbotWords, are_split_as_pbot_splits_them) {
  using guest::split_pbot_words;
  EXPECT_THAT(split_pbot_words("'a b' c"), ElementsAre("a b", "c"));
  EXPECT_THAT(split_pbot_words("  one   \"two  three\"  "), ElementsAre("one", "two  three"));
  EXPECT_THAT(split_pbot_words("don't 'mind' it's"), ElementsAre("don't", "mind", "it's"));
  EXPECT_THAT(split_pbot_words("'' \"\""), ElementsAre("", ""));
  EXPECT_THAT(split_pbot_words(R"(a\ b \"c\" 'it\'s' \\)"), ElementsAre("a b", "\"c\"", "it's", "\\"));
  EXPECT_THAT(split_pbot_words("-DX='a b' y"), ElementsAre("-DX=a b", "y"));
  EXPECT_THAT(split_pbot_words("'never closed \"x\""), ElementsAre("'never", "closed", "x"));
  EXPECT_THAT(split_pbot_words("\xc3\xa9 \\"), ElementsAre("\xc3\xa9"));
  EXPECT_THAT(split_pbot_words(""), IsEmpty());
  std::string hostile;
  for (int i = 0; i < 200'000; ++i) hostile += " 'a \"";
  EXPECT_THAT(split_pbot_words(hostile), Not(IsEmpty()));  // and not in the square of its length
}

guest::PbotPlan plan_of(const Json& request) {
  return guest::plan_pbot_job(guest::parse_pbot_request(request.dump()), 9s);
}

TEST(PbotPlan, knows_the_languages_whose_command_compiles) {
  for (const char* language :
       {"c89", "c11", "c2x", "clang", "clang2x", "c++", "clang++", "haskell", "qbasic", "java"}) {
    Json request = c_request("");
    request["lang"] = language;
    EXPECT_EQ(plan_of(request).compile_steps, 1u) << language;
  }
  for (const char* language : {"c", "clisp", "sh", "", "go", "csh", "clangd"}) {
    Json request = c_request("");
    request["lang"] = language;
    EXPECT_EQ(plan_of(request).compile_steps, 0u) << language;
  }
}

TEST(PbotPlan, compiles_without_and_with_what_shows_the_last_statement) {
  const auto plan = plan_of(c_request("int x = 5;\n print_last_statement(x * (2));\n}"));
  ASSERT_THAT(plan.job.files, SizeIs(2));
  EXPECT_EQ(plan.job.files[0].path, "prog.c");
  EXPECT_EQ(plan.job.files[0].content, "int x = 5;\n x * (2);\n}\n");
  EXPECT_THAT(plan.job.files[1].content, HasSubstr("print_last_statement(x * (2));"));
  ASSERT_THAT(plan.job.steps, SizeIs(3));
  EXPECT_THAT(plan.job.steps[0].argv,
              ElementsAre("gcc", "-Wall", "-Wextra", "-std=c11", "prog.c", "-S", "-g0", "-o", "/dev/null"));
}

TEST(PbotResult, is_ascii_and_what_is_no_utf8_is_replaced) {
  EXPECT_EQ(guest::encode_pbot_result("hi"), "result:{\"result\":\"hi\\n\"}\nresult:end\n");
  EXPECT_EQ(guest::encode_pbot_result(""), "result:{\"result\":\"\\n\"}\nresult:end\n");
  EXPECT_EQ(guest::encode_pbot_result("a\xff"
                                      "b\x7f\n"),
            "result:{\"result\":\"a\\ufffdb\\u007f\\n\"}\nresult:end\n");
  EXPECT_EQ(guest::encode_pbot_result("\xc3\xa4\xf0\x9f\x98\x80\n"),
            "result:{\"result\":\"\\u00e4\\ud83d\\ude00\\n\"}\nresult:end\n");
}

// ---- what is answered

TEST(PbotDialect, answers_the_request_of_the_documentation) {
  PbotGuest guest;
  PbotHost host(guest);
  host.send(
      R"({"lang":"sh","sourcefile":"prog.sh","execfile":"prog.sh","cmdline":"sh prog.sh","input":"A fixed fortune.",)"
      R"("date":1795225175,"arguments":"","code":"echo hello"})"
      "\n\n");
  EXPECT_EQ(host.next_line(), "result:{\"result\":\"hello\\n\"}");
  EXPECT_EQ(host.next_line(), "result:end");
}

TEST(PbotDialect, accepts_pieces_crlf_and_the_other_end_mark) {
  PbotGuest guest;
  PbotHost host(guest);
  const Json request = shell_request("echo " + std::string(9000, 'x') + " | wc -c");
  host.send(in_pieces(request));
  EXPECT_EQ(host.result(), "9001");
  host.send(in_pieces(request, 4000, "\r\n"));
  EXPECT_EQ(host.result(), "9001");
  host.send(request.dump() + "\n:end:\n");
  EXPECT_EQ(host.result(), "9001");
}

TEST(PbotDialect, tells_how_a_program_ended_in_the_words_of_pbot) {
  PbotGuest guest;
  PbotHost host(guest);
  const auto sh = [&](const std::string& code) { return host.ask(shell_request(code)); };
  EXPECT_EQ(sh("true"), "Success (no output).");
  EXPECT_EQ(sh("exit 3"), "Exit 3.");
  EXPECT_EQ(sh("echo hi; exit 3"), "hi\n [Exit 3]");
  EXPECT_EQ(sh("printf abc; exit 4"), "abc [Exit 4]");
  EXPECT_EQ(sh("kill -9 $$"), "Exit 137.");
  EXPECT_EQ(sh("echo x; kill -SEGV $$"), "x\n [Exit 139]");
  EXPECT_EQ(sh("echo out1; echo err1 >&2; echo out2; echo err2 >&2"), "err1\nerr2\n out1\nout2");
  EXPECT_EQ(sh("cat; printf '[%s]' \"$(pwd)\" >/dev/null"), "A fortune.");
  EXPECT_EQ(sh("printf 'a\\377b'"),
            "a\xef\xbf\xbd"
            "b");
  EXPECT_EQ(sh("echo '[Killed]'; echo 'result:end'"), "[Killed]\nresult:end");
}

TEST(PbotDialect, a_factoid_is_silent_where_there_is_nothing_to_say) {
  PbotGuest guest;
  PbotHost host(guest);
  for (const char* code : {"true", "exit 3"}) {
    Json request = shell_request(code);
    request["factoid"] = 1;
    EXPECT_EQ(host.ask(request), "");
  }
}

TEST(PbotDialect, gives_the_command_its_arguments_input_and_limits) {
  PbotGuest guest;
  PbotHost host(guest);
  Json request = shell_request("for a; do echo \"<$a>\"; done");
  request["arguments"] = "'a b' c $(id) \"it's\"";
  EXPECT_EQ(host.ask(request), "<a b>\n<c>\n<$(id)>\n<it's>");
  request = shell_request("od -An -c; ulimit -f; ulimit -t");
  request["cmdline"] = "bash prog.sh";
  request["input"] = "two\nlines";
  EXPECT_EQ(host.ask(request), "   t   w   o  \\n   l   i   n   e   s  \\n\n2000\n8");
  request = shell_request("wc -c");
  request.erase("input");
  request.erase("arguments");
  EXPECT_EQ(host.ask(request), "0");
  request["input"] = std::string(300'000, 'y');
  EXPECT_EQ(host.ask(request), "300001");
}

TEST(PbotDialect, an_unknown_language_is_run_the_default_way_by_a_shell) {
  Json request = shell_request("one\ntwo");
  request["lang"] = "clisp";
  request["cmdline"] = "X=1 sort -r prog.sh | tr a-z A-Z; echo $HOME >/dev/null";
  EXPECT_EQ(run(request), "TWO\nONE");
}

TEST(PbotDialect, large_output_comes_whole_and_more_is_cut) {
  PbotGuest guest;
  PbotHost host(guest);
  EXPECT_EQ(host.ask(shell_request("head -c 1000000 /dev/zero | tr '\\0' x")), std::string(1'000'000, 'x'));
  const std::string cut = host.ask(shell_request("yes"));
  EXPECT_GT(cut.size(), 1'000'000u);
  EXPECT_TRUE(cut.ends_with(" [Output cut at 2097152 bytes]")) << cut.substr(cut.size() - 100);
}

TEST(PbotDialect, a_persist_key_is_an_empty_directory_of_that_name) {
  PbotGuest guest;
  PbotHost host(guest);
  Json request = shell_request(
      "ls -A 'my key'; test \"$HOME/my key\" -ef 'my key' && echo same; echo kept >'my key/file' && echo written");
  request["persist-key"] = "my key";
  for (int i = 0; i < 2; ++i) {  // what the first leaves is not there for the second
    EXPECT_EQ(host.ask(request), "same\nwritten");
  }
}

TEST(PbotDialect, a_c_program_is_compiled_and_run) {
  PbotGuest guest;
  PbotHost host(guest);
  Json request = c_request(
      "#include <stdio.h>\nint main(int c, char **v) { char s[9]; "
      "printf(\"%s %s %s\\n\", fgets(s, 9, stdin), v[c - 1], v[0]); return 7; }");
  request["arguments"] = "x 'y z'";
  EXPECT_EQ(host.ask(request), "A fortun y z ./prog\n [Exit 7]");
  EXPECT_THAT(host.ask(c_request("#include <stdio.h>\nint main(void) { int unused; puts(\"m\"); return 0; }")),
              MatchesRegex("\\[prog\\.c: In function.*unused.*\\]\nm"));
  EXPECT_THAT(host.ask(c_request("int main(void) { int unused; return 3; }")), HasSubstr("]\nExit 3."));
  const std::string failed = host.ask(c_request("int main(void) { return y; }"));
  EXPECT_THAT(failed, StartsWith("prog.c: In function"));
  EXPECT_THAT(failed, HasSubstr("undeclared"));
  EXPECT_THAT(failed, Not(HasSubstr("Exit")));
  EXPECT_THAT(host.ask(c_request("", "--version")), StartsWith("gcc ("));
  request = c_request("int main(void) { return 0; }");
  request["cmdline"] = "no-such-compiler prog.c";
  EXPECT_THAT(host.ask(request), HasSubstr("no-such-compiler"));
}

// As text, with what it includes beside it: a job sees no directory of this machine's that could hold it.
std::string header(const std::string& name) {
  std::ifstream file(HEADERS "/" + name);
  std::string text, line;
  while (std::getline(file, line)) {
    const std::string include = "#include \"";
    if (line.starts_with(include)) {
      text += header(line.substr(include.size(), line.rfind('"') - include.size()));
    } else if (!line.starts_with("#pragma GCC system_header")) {
      text += line + "\n";
    }
  }
  return text;
}

TEST(PbotDialect, a_c_program_shows_its_last_statement_by_the_prelude) {
  PbotGuest guest;
  PbotHost host(guest);
  const auto c = [&](const std::string& before, const std::string& statements) {
    return host.ask(c_request(header("prelude.h") + before +
                              "\nint main(int argc, char *argv[]) {\n(void)argc; (void)argv;\n" + statements +
                              "\n;\nreturn 0;\n}"));
  };
  EXPECT_THAT(c("", "int x = 5;\n print_last_statement(x * 2);"),
              MatchesRegex("\\[prog\\.c: .*statement with no effect.*\\]\nno output: x \\* 2 = 10"));
  EXPECT_EQ(c("static int f(int a) { return a * 3; }", "print_last_statement(f(4));"), "no output: f(4) = 12");
  EXPECT_EQ(c("static void f(void) { puts(\"said\"); }", "print_last_statement(f());"), "said");
  EXPECT_EQ(c("static int f(void) { puts(\"said\"); return 1; }", "print_last_statement(f());"), "said");
  EXPECT_THAT(c("static struct { int x; } s;", "print_last_statement(s.y);"), StartsWith("prog.c: In function"));
  EXPECT_THAT(c("extern int nowhere(void);", "print_last_statement(nowhere());"), HasSubstr("undefined reference"));
  EXPECT_THAT(c("static struct { unsigned b : 3; } s;", "s.b = 5;\nprint_last_statement(s.b);"),
              HasSubstr("]\nno output: s.b = 5"));
  EXPECT_EQ(c("", "const char *f = \"%b %#b %08b %'#b\\n\"; printf(f, 5, 5, 5, 0x123);"),
            "101 0101 00000101 0001.0010.0011");
}

// ---- what must not happen

TEST(PbotDialect, two_requests_in_one_read_are_served_in_order_each_with_its_own_result) {
  PbotGuest guest;
  PbotHost host(guest);
  host.send(in_pieces(shell_request("sleep 0.3; echo first")) + in_pieces(shell_request("echo second")) +
            shell_request("echo third").dump() + "\n:end:\n");
  EXPECT_EQ(host.result(), "first");
  EXPECT_EQ(host.result(), "second");
  EXPECT_EQ(host.result(), "third");
}

TEST(PbotDialect, bad_requests_are_answered_in_their_order) {
  PbotGuest guest;
  PbotHost host(guest);
  host.send(in_pieces(shell_request("echo first")) + "{\"code\":}\n\n" + in_pieces(shell_request("echo last")));
  EXPECT_EQ(host.result(), "first");
  EXPECT_THAT(host.result(), StartsWith("Bad request: not JSON"));
  EXPECT_EQ(host.result(), "last");
  host.send("{" + std::string(guest::max_pbot_request, 'x') + "\n\n");
  EXPECT_EQ(host.result(), "Bad request: longer than 4194304 bytes.");
}

TEST(PbotDialect, more_requests_than_may_wait_are_refused_in_their_order) {
  PbotGuest guest;
  PbotHost host(guest);
  std::string burst = in_pieces(shell_request("sleep 3; echo 0"));
  for (int i = 1; i < 30; ++i) burst += in_pieces(shell_request("echo " + std::to_string(i)));
  host.send(burst);
  for (int i = 0; i < 16; ++i) EXPECT_EQ(host.result(), std::to_string(i));
  for (int i = 16; i < 30; ++i) EXPECT_EQ(host.result(), "Too many requests wait; try again later.");
  EXPECT_EQ(host.ask(shell_request("echo again")), "again");
}

TEST(PbotDialect, a_job_that_takes_too_long_ends_with_what_it_printed_and_never_speaks_later) {
  PbotGuest guest({"--pbot-timeout", "3"});
  PbotHost host(guest);
  EXPECT_EQ(host.ask(shell_request("echo before; trap '' TERM; sleep 5; echo SECRET; sleep 100")),
            "before\n [Timed-out]");
  EXPECT_EQ(host.ask(shell_request("echo mine")), "mine");
  EXPECT_TRUE(host.silence(3500ms));
  EXPECT_EQ(host.ask(c_request("int main(void) { for (;;) { } }")), "[Timed-out]");
}

TEST(PbotDialect, a_half_sent_request_is_dropped_after_an_idle_time) {
  PbotGuest guest;
  PbotHost host(guest);
  host.send(in_pieces(shell_request("echo half")).substr(0, 60));
  EXPECT_TRUE(host.silence(6s));  // the guest waits 2 s
  EXPECT_EQ(host.ask(shell_request("echo whole")), "whole");
}

TEST(PbotDialect, a_line_that_ends_takes_its_job_with_it) {
  PbotGuest guest;
  const std::string marker = "42" + std::to_string(getpid());
  {
    PbotHost host(guest);
    host.send(in_pieces(shell_request("sleep " + marker)));
    const auto end = std::chrono::steady_clock::now() + patience;
    while (!process_runs("sleep" + std::string(1, '\0') + marker) && std::chrono::steady_clock::now() < end) {
      usleep(2000);  // another program's doing: there is no event to wait for
    }
    ASSERT_TRUE(process_runs("sleep" + std::string(1, '\0') + marker));
  }
  EXPECT_TRUE(goes_away("sleep" + std::string(1, '\0') + marker));
  EXPECT_EQ(PbotHost(guest).ask(shell_request("echo next")), "next");
}

TEST(PbotDialect, a_host_that_only_reads_any_more_gets_its_answers_and_then_the_end) {
  PbotGuest guest;
  PbotHost host(guest);
  host.send(in_pieces(shell_request("sleep 0.3; echo first")) + shell_request("head -c 500000 /dev/zero").dump());
  host.end_writing();
  EXPECT_EQ(host.result(), "first");
  EXPECT_EQ(host.result(), std::string(500'000, '\0'));
  EXPECT_TRUE(host.at_end());
}

TEST(PbotDialect, connections_are_served_side_by_side_up_to_a_bound) {
  PbotGuest guest({"--pbot-timeout", "600"});
  std::vector<std::unique_ptr<PbotHost>> sleepers;
  const auto add_sleeper = [&] {
    sleepers.push_back(std::make_unique<PbotHost>(guest));
    sleepers.back()->send(in_pieces(shell_request("sleep 500")));
  };
  for (int i = 0; i < 7; ++i) add_sleeper();
  PbotHost host(guest);
  EXPECT_EQ(host.ask(shell_request("echo eighth")), "eighth");
  add_sleeper();
  PbotHost waiting(guest);
  EXPECT_EQ(host.ask({{"code", ""}}), "Bad request: no 'sourcefile'.");  // the sleeper was read before this
  waiting.send(in_pieces(shell_request("echo ninth")));
  EXPECT_TRUE(waiting.silence(500ms));
  sleepers.pop_back();
  EXPECT_EQ(waiting.result(), "ninth");
}

TEST(PbotDialect, frames_and_requests_share_a_line) {
  PbotGuest guest;
  PbotHost host(guest);
  EXPECT_EQ(host.ask(shell_request("echo before")), "before");
  host.hello();
  EXPECT_EQ(host.run_framed(shell_job("echo framed")), "framed\n");
  host.send(in_pieces(shell_request("echo between")));
  host.send_frame(protocol::FrameType::ping, 0, "are you there");
  EXPECT_EQ(host.next_frame().payload, "are you there");
  EXPECT_EQ(host.text_until("result:end\n"), "result:{\"result\":\"between\\n\"}\nresult:end\n");
  EXPECT_EQ(host.run_framed(shell_job("echo framed again")), "framed again\n");
}

TEST(PbotDialect, a_hello_forgets_requests_and_their_jobs) {
  PbotGuest guest;
  PbotHost host(guest);
  const std::string marker = "43" + std::to_string(getpid());
  host.send(in_pieces(shell_request("sleep " + marker)) + in_pieces(shell_request("echo SECRET")) + "{\"half\":");
  host.hello();
  EXPECT_TRUE(goes_away("sleep" + std::string(1, '\0') + marker));
  EXPECT_EQ(host.run_framed(shell_job("echo mine")), "mine\n");
  host.send(in_pieces(shell_request("echo whole")));
  EXPECT_EQ(host.text_until("result:end\n"), "result:{\"result\":\"whole\\n\"}\nresult:end\n");
}

// ---- on ttys

/// The program on both of a machine's serial lines; this end is the host's.
class SerialGuest {
 public:
  SerialGuest() : guest_({"--serial", line_.name(), "--heartbeat", heart_.name()}) {
    text(heart_, "\n", patience);
    const auto end = std::chrono::steady_clock::now() + patience;
    while (line_.echoes() && std::chrono::steady_clock::now() < end) usleep(2000);  // no event tells of this
  }
  void send(const std::string& bytes) const {
    ASSERT_EQ(write(line_.fd(), bytes.data(), bytes.size()), ssize_t(bytes.size()));
  }
  std::string answer() { return text(line_, "result:end\n", patience); }
  bool silence(std::chrono::milliseconds time) { return text(line_, "\n", time).empty(); }
  std::string figures() {
    EXPECT_EQ(write(heart_.fd(), "\n", 1), 1);
    return text(heart_, ":END\r\n", patience);
  }

 private:
  class Tty {
   public:
    Tty() : fd_(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
      if (!fd_ || grantpt(fd_.get()) < 0 || unlockpt(fd_.get()) < 0) throw std::runtime_error("no tty");
      name_ = ptsname(fd_.get());
      keep_open_.reset(open(name_.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC));
    }
    int fd() const { return fd_.get(); }
    bool echoes() const {
      termios settings{};
      return tcgetattr(fd_.get(), &settings) == 0 && (settings.c_lflag & ECHO) != 0;
    }
    const std::string& name() const { return name_; }

   private:
    UniqueFd fd_, keep_open_;
    std::string name_;
  };

  // All up to `end`; empty when it does not come.
  static std::string text(const Tty& tty, std::string_view end, std::chrono::milliseconds wait) {
    std::string text;
    pollfd ready{tty.fd(), POLLIN, 0};
    while (poll(&ready, 1, static_cast<int>(wait.count())) > 0) {
      char bytes[4096];
      const auto size = read(tty.fd(), bytes, sizeof bytes);
      if (size <= 0) break;
      text.append(bytes, static_cast<std::size_t>(size));
      if (text.find(end) != std::string::npos) return text;
    }
    return "";
  }

  Tty line_, heart_;
  Guest guest_;
};

TEST(PbotSerial, the_tty_adds_no_echo_and_no_carriage_return) {
  SerialGuest guest;
  guest.send(in_pieces(shell_request("echo '\x03 \x04 \x7f \xc3\xa4'"), 4000, "\r\n"));
  EXPECT_EQ(guest.answer(), "result:{\"result\":\"\\u0003 \\u0004 \\u007f \\u00e4\\n\"}\nresult:end\n");
}

TEST(PbotSerial, a_host_that_asks_after_a_silence_never_gets_its_predecessors_answer) {
  SerialGuest guest;
  guest.send(in_pieces(shell_request("sleep 8; echo SECRET")) + in_pieces(shell_request("echo SECRET too")));
  EXPECT_TRUE(guest.silence(5s));  // 2 s of it are enough
  guest.send(in_pieces(shell_request("sleep 1; echo mine")));
  EXPECT_EQ(guest.answer(), "result:{\"result\":\"mine\\n\"}\nresult:end\n");
  EXPECT_TRUE(guest.silence(1500ms));
}

TEST(PbotSerial, figures_end_as_pbots_host_wants_them_also_under_load) {
  SerialGuest guest;
  guest.send(in_pieces(shell_request("for i in 1 2 3 4; do while :; do :; done & done; yes | head -c 1000000; wait")));
  for (int i = 0; i < 5; ++i) {
    const std::string figures = guest.figures();
    EXPECT_THAT(figures, HasSubstr("slots_used "));
    EXPECT_TRUE(figures.ends_with("\r\n:END\r\n")) << figures;
  }
}

// ---- options

guest::Options parse(std::vector<std::string> words) {
  words.insert(words.begin(), "pbotvm-guest");
  std::vector<char*> argv;
  for (auto& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  return guest::parse_options(static_cast<int>(words.size()), argv.data());
}

TEST(GuestOptions, vsock_ports_are_numbers_and_come_from_the_environment_where_none_is_given) {
  unsetenv("PBOTVM_VPORT");
  EXPECT_THAT(parse({"--vsock", "5555", "--vsock", "7"}).vsock, ElementsAre(5555, 7));
  EXPECT_THAT(parse({"--serial", "x"}).vsock, IsEmpty());
  for (const char* bad : {"0", "-1", "x", "", "4294967295", "5555x"}) {
    EXPECT_THROW(parse({"--vsock", bad}), guest::UsageError) << bad;
  }
  setenv("PBOTVM_VPORT", "6666", 1);
  EXPECT_THAT(parse({}).vsock, ElementsAre(6666));
  EXPECT_THAT(parse({"--vsock", "5555"}).vsock, ElementsAre(5555));
  setenv("PBOTVM_VPORT", "", 1);
  EXPECT_THAT(parse({"--serial", "x"}).vsock, IsEmpty());
  setenv("PBOTVM_VPORT", "nonsense", 1);
  EXPECT_THROW(parse({"--serial", "x"}), guest::UsageError);
  unsetenv("PBOTVM_VPORT");
}

TEST(GuestOptions, the_time_of_a_pbot_job_is_bounded) {
  EXPECT_EQ(parse({"--serial", "x"}).pbot_time, 9s);
  EXPECT_EQ(parse({"--serial", "x", "--pbot-timeout", "30"}).pbot_time, 30s);
  EXPECT_THROW(parse({"--serial", "x", "--pbot-timeout", "0"}), guest::UsageError);
  EXPECT_THROW(parse({"--serial", "x", "--pbot-timeout", "9.5"}), guest::UsageError);
}

TEST(GuestOptions, help_names_every_option) {
  const std::string help = guest::usage();
  for (const char* option : {"--serial", "--virtio-serial", "--vsock", "--listen", "--heartbeat", "--pbot-timeout",
                             "--user", "--work", "--allow-missing", "--help", "--version", "PBOTVM_VPORT"}) {
    EXPECT_THAT(help, HasSubstr(option));
  }
}

}  // namespace
}  // namespace pbotvm::guest_test
