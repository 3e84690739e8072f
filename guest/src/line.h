// SPDX-License-Identifier: MIT
#pragma once

// One byte stream to a host, with the frames on it.

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "event_loop.h"
#include "pbotvm/unique_fd.h"
#include "protocol/frame.h"

namespace pbotvm::guest {

enum class LineKind {
  serial,         ///< a tty: slow, always there
  virtio_serial,  ///< reads end-of-file while no host is connected
  connection,     ///< of a listening socket: its end is the line's end
};

class Line {
 public:
  struct Events {
    std::function<void(protocol::Frame&&)> on_frame;
    /// Bytes that belong to no frame: the other dialect, or garbage.
    std::function<void(std::string_view)> on_text;
    std::function<void()> on_room;  ///< room() has grown
    /// A connection's host sends no more, but may still read. True: the line is to stay until finish().
    std::function<bool()> on_end;
    std::function<void()> on_closed;  ///< connection: it may be destroyed in the same round; virtio: the host left
  };

  /// `fd` is non-blocking.
  Line(EventLoop& loop, UniqueFd fd, LineKind kind, std::string name, Events events);
  Line(const Line&) = delete;
  ~Line() { *alive_ = false; }

  const std::string& name() const { return name_; }
  bool slow() const { return kind_ == LineKind::serial; }

  /// Leaves at the end of this round; output may wait a few milliseconds for more of it.
  void send(protocol::FrameType type, std::uint32_t job, std::uint64_t nonce, std::string_view message);

  /// One frame of what is sent in plenty and in turns; its payload is `head` and `body`. As output.
  void send_part(protocol::FrameType type, bool more, std::uint32_t job, std::uint64_t nonce, std::string_view head,
                 std::string_view body);

  /// The other dialect's way: bytes that are no frame. They leave at the end of this round.
  void send_text(std::string_view text);

  /// After on_end(): closes when everything is sent.
  void finish();

  /// Forgets what was not sent yet, but for the rest of a frame that is already on its way.
  void drop_unsent();

  /// Bytes of payload that the next frame of output may have now; 0: none may be sent. More would hold up what comes
  /// behind it. on_room follows. `crowded`: others than the sender wait for it.
  std::size_t room(bool crowded) const;

  /// Stops and resumes reading.
  void pause(bool paused);

  std::uint64_t damaged_frames() const { return reader_.damaged_frames(); }

 private:
  void on_events(std::uint32_t events);
  void read_frames();
  bool hand_on();
  enum class Reading { some, nothing, end };
  Reading read_some();
  void on_host_left();
  void flush_later();
  void flush();
  void watch();
  std::size_t unsent() const { return out_.size() - sent_; }
  std::size_t in_device() const;
  bool write_some();
  void forget_sent();

  EventLoop& loop_;
  UniqueFd fd_;
  const LineKind kind_;
  const std::string name_;
  Events events_;
  protocol::FrameReader reader_;
  std::string out_;
  std::size_t sent_ = 0;          // of out_
  std::deque<std::size_t> ends_;  // in out_, of each message that is not wholly sent
  std::size_t begin_ = 0;         // in out_, of the first of them
  bool flush_asked_ = false, blocked_ = false, paused_ = false, closed_ = false;
  bool half_closed_ = false, finishing_ = false;
  Timer idle_, gather_, recheck_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // shared with tasks that may outlive the line
  std::unique_ptr<Watch> watch_;
};

}  // namespace pbotvm::guest
