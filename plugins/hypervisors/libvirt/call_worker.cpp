// SPDX-License-Identifier: MIT
#include "call_worker.h"

#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <optional>

namespace pbotvm::libvirt {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t most_abandoned = 4;  // threads that libvirt does not come back from
constexpr std::chrono::seconds reconnect_pause{1};
constexpr std::chrono::seconds look_pause{10};
constexpr auto goodbye_time = 2s;  // for closing the connection, when the host ends

}  // namespace

struct CallWorker::State {
  State(Subject about, std::shared_ptr<DomainWatch> told) : subject(std::move(about)), watch(std::move(told)) {}

  const Subject subject;
  const std::shared_ptr<DomainWatch> watch;
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Job> jobs;
  bool busy = false;                   // with a job that was taken from the queue
  std::atomic<bool> given_up = false;  // like `ending`, and nobody waits for the job at hand
  bool ending = false;
  bool ended = false;
  Deadline::Clock::time_point last_look{};
};

CallWorker::CallWorker(Subject subject, std::shared_ptr<DomainWatch> watch)
    : subject_(std::move(subject)), watch_(std::move(watch)) {}

CallWorker::~CallWorker() {
  if (!state_) return;
  std::unique_lock lock(state_->mutex);
  state_->ending = true;
  state_->changed.notify_all();
  const bool came_back = state_->changed.wait_for(lock, goodbye_time, [this] { return state_->ended; });
  lock.unlock();
  if (came_back)
    thread_.join();  // a process that ends must not find it still on its way out
  else
    thread_.detach();
}

void CallWorker::run(const std::shared_ptr<State>& state) {
  std::optional<Connection> connection;
  std::unique_lock lock(state->mutex);
  while (true) {
    state->changed.wait(lock, [&] { return state->ending || !state->jobs.empty(); });
    if (state->jobs.empty()) break;
    const Job job = std::move(state->jobs.front());
    state->jobs.pop_front();
    state->busy = true;
    lock.unlock();
    std::exception_ptr problem;
    try {
      if (connection && !connection->alive()) connection.reset();
      if (!connection) connection.emplace(state->subject, state->watch, state->given_up);
    } catch (...) {
      problem = std::current_exception();
    }
    job(connection ? &*connection : nullptr, problem);
    lock.lock();
    state->busy = false;
  }
  lock.unlock();
  connection.reset();
  lock.lock();
  state->ended = true;
  state->changed.notify_all();
}

CallWorker::State& CallWorker::state() {
  if (state_) return *state_;
  std::erase_if(abandoned_, [](const auto& state) { return state.expired(); });
  if (abandoned_.size() >= most_abandoned)
    throw Error(
        ErrorCode::timed_out,
        "libvirt at " + subject_.uri + " has not come back from the last " + std::to_string(most_abandoned) + " calls",
        hung_remedy(subject_.uri));
  const auto state = std::make_shared<State>(subject_, watch_);
  sigset_t all, before;
  sigfillset(&all);  // signals are for the host's own threads
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([state] { run(state); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  state_ = state;
  return *state_;
}

void CallWorker::post(Job job) {
  State& to = state();
  const std::lock_guard lock(to.mutex);
  to.jobs.push_back(std::move(job));
  to.changed.notify_all();
}

void CallWorker::await_begin(const std::future<void>& begun, const Deadline& deadline, const std::string& doing) {
  const Deadline opening = earlier(deadline, Deadline::in(open_time));
  const auto allowed = std::chrono::ceil<std::chrono::seconds>(opening.remaining());
  if (begun.wait_until(opening.point()) == std::future_status::ready) return;
  if (watch_->is_connected()) abandon(doing);  // it was asked something before, and still has not answered that
  give_up();
  throw Error(ErrorCode::timed_out,
              doing + ": no connection to libvirt at " + subject_.uri + " came about within " +
                  std::to_string(allowed.count()) + " s: a daemon may be there, but it does not answer",
              hung_remedy(subject_.uri));
}

void CallWorker::give_up() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->jobs.clear();
    state_->given_up = true;
    state_->ending = true;
    state_->changed.notify_all();
  }
  abandoned_.push_back(state_);
  thread_.detach();
  state_.reset();
  watch_->forsake("a call was given up");
}

void CallWorker::abandon(const std::string& doing) {
  give_up();
  throw Error(
      ErrorCode::timed_out, doing + ": libvirt at " + subject_.uri + " did not answer in time",
      "if it stays so, restart its daemon; 'virsh domjobinfo " + subject_.domain + "' says what it is busy with");
}

void CallWorker::look_soon() noexcept {
  try {
    if (!state_) return;
    const auto pause = watch_->is_connected() ? look_pause : reconnect_pause;
    const auto now = Deadline::Clock::now();
    {
      const std::lock_guard lock(state_->mutex);
      if (state_->busy || !state_->jobs.empty() || now < state_->last_look + pause) return;
      state_->last_look = now;
    }
    post([](Connection* connection, std::exception_ptr) {
      try {
        if (connection != nullptr) connection->look();
      } catch (const std::exception&) {  // the next call says it
      }
    });
  } catch (const std::exception&) {  // the next call says it
  }
}

}  // namespace pbotvm::libvirt
