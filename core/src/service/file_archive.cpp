// SPDX-License-Identifier: MIT
#include "service/file_archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

#include <memory>

#include "pbotvm/error.h"
#include "service/client_files.h"
#include "service/client_request.h"
#include "service/utf8.h"

namespace pbotvm::service {

namespace {

using Writer = std::unique_ptr<archive, decltype(&::archive_write_free)>;
using Reader = std::unique_ptr<archive, decltype(&::archive_read_free)>;
using Entry = std::unique_ptr<archive_entry, decltype(&::archive_entry_free)>;

la_ssize_t append(archive*, void* target, const void* bytes, std::size_t size) {
  static_cast<std::string*>(target)->append(static_cast<const char*>(bytes), size);
  return static_cast<la_ssize_t>(size);
}

void check_written(archive* writer, int status) {
  if (status == ARCHIVE_OK) return;
  const char* why = ::archive_error_string(writer);
  throw Error(ErrorCode::internal, std::string("pack files: ") + (why == nullptr ? "out of memory" : why));
}

[[noreturn]] void damaged(const std::string& why) {
  throw Error(ErrorCode::protocol, "the archive is damaged: " + why);
}

std::string reading_error(archive* reader) {
  const char* why = ::archive_error_string(reader);
  return why == nullptr ? "it cannot be read" : why;
}

void write_file(archive* writer, const JobFile& file) {
  const Entry entry(::archive_entry_new(), &::archive_entry_free);
  if (!entry) throw std::bad_alloc();
  ::archive_entry_set_pathname(entry.get(), file.path.c_str());
  ::archive_entry_set_filetype(entry.get(), S_IFREG);
  ::archive_entry_set_perm(entry.get(), file.mode & 0777);
  ::archive_entry_set_size(entry.get(), static_cast<la_int64_t>(file.content.size()));
  ::archive_entry_set_mtime(entry.get(), 0, 0);
  check_written(writer, ::archive_write_header(writer, entry.get()));
  if (file.content.empty()) return;
  const auto written = ::archive_write_data(writer, file.content.data(), file.content.size());
  if (written != static_cast<la_ssize_t>(file.content.size())) check_written(writer, ARCHIVE_FATAL);
}

// The head of one entry, without its content; damaged() when it is not what pack_files makes.
JobFile file_of(archive_entry* entry, std::uint64_t space) {
  const char* path = ::archive_entry_pathname(entry);
  JobFile file;
  file.path = path == nullptr ? "" : path;
  if (find_invalid_utf8(file.path) != std::string::npos) damaged("a file's name is not UTF-8");
  if (const auto flaw = path_flaw(file.path); !flaw.empty()) damaged("a file " + flaw);
  const bool regular = ::archive_entry_filetype(entry) == S_IFREG && ::archive_entry_hardlink(entry) == nullptr &&
                       ::archive_entry_symlink(entry) == nullptr;
  if (!regular) damaged("it holds something that is not a regular file");
  if (!::archive_entry_size_is_set(entry) || ::archive_entry_size(entry) < 0) damaged("a file has no size");
  if (static_cast<std::uint64_t>(::archive_entry_size(entry)) > space) damaged("its files are too large");
  file.mode = ::archive_entry_perm(entry) & 0777;
  return file;
}

void read_content(archive* reader, std::uint64_t size, std::string& content) {
  content.resize(size);
  std::size_t got = 0;
  while (got < size) {
    const auto piece = ::archive_read_data(reader, content.data() + got, size - got);
    if (piece < 0) damaged(reading_error(reader));
    if (piece == 0) damaged("a file is cut short");
    got += static_cast<std::size_t>(piece);
  }
}

}  // namespace

std::string pack_files(const std::vector<JobFile>& files) {
  std::string bytes;
  const Writer writer(::archive_write_new(), &::archive_write_free);
  if (!writer) throw std::bad_alloc();
  check_written(writer.get(), ::archive_write_set_format_pax(writer.get()));
  // Names are UTF-8, and stay the bytes that they are whatever the process' locale: no conversion either way.
  check_written(writer.get(), ::archive_write_set_options(writer.get(), "hdrcharset=BINARY"));
  check_written(writer.get(), ::archive_write_set_bytes_in_last_block(writer.get(), 1));
  check_written(writer.get(), ::archive_write_open(writer.get(), &bytes, nullptr, &append, nullptr));
  for (const auto& file : files) write_file(writer.get(), file);
  check_written(writer.get(), ::archive_write_close(writer.get()));
  return bytes;
}

std::vector<JobFile> unpack_files(std::string_view archive_bytes, std::size_t max_files, std::uint64_t max_bytes) {
  const Reader reader(::archive_read_new(), &::archive_read_free);
  if (!reader) throw std::bad_alloc();
  ::archive_read_support_format_tar(reader.get());
  if (::archive_read_open_memory(reader.get(), archive_bytes.data(), archive_bytes.size()) != ARCHIVE_OK) {
    damaged(reading_error(reader.get()));
  }
  std::vector<JobFile> files;
  std::uint64_t space = max_bytes;
  for (archive_entry* entry = nullptr;;) {
    const int status = ::archive_read_next_header(reader.get(), &entry);
    if (status == ARCHIVE_EOF) break;
    if (status != ARCHIVE_OK) damaged(reading_error(reader.get()));
    if (files.size() == max_files) damaged("it holds too many files");
    files.push_back(file_of(entry, space));
    const auto size = static_cast<std::uint64_t>(::archive_entry_size(entry));
    read_content(reader.get(), size, files.back().content);
    space -= size;
  }
  try {
    check_tree(files, "the file ");
  } catch (const RequestError& e) {
    damaged(e.what());
  }
  return files;
}

}  // namespace pbotvm::service
