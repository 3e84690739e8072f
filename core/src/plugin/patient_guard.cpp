// SPDX-License-Identifier: MIT
#include "plugin/patient_guard.h"

#include <condition_variable>
#include <sstream>
#include <thread>
#include <vector>

namespace pbotvm::plugin {

namespace {
constexpr std::size_t max_idle = 8;  // threads kept for the next call; more are ended when they are done
constexpr const char* remedy = "mend or remove the plug-in and restart the host";
}  // namespace

struct WorkerThreads::Worker {
  std::condition_variable wake;
  std::function<void()> task;  // empty while it waits
};

struct WorkerThreads::State {
  std::mutex mutex;
  std::condition_variable ended;
  std::vector<std::shared_ptr<Worker>> idle;
  std::size_t waiting = 0;  // threads that wait for a task, or are about to end for want of one
  bool closed = false;

  static void serve(const std::shared_ptr<State>& state, const std::shared_ptr<Worker>& worker) {
    std::unique_lock lock(state->mutex);
    while (worker->task) {
      std::function<void()> task = std::exchange(worker->task, nullptr);
      lock.unlock();
      task();
      task = nullptr;  // what it owns goes before the thread counts as idle
      lock.lock();
      if (state->closed || state->idle.size() >= max_idle) return;
      state->idle.push_back(worker);
      ++state->waiting;
      worker->wake.wait(lock, [&] { return worker->task || state->closed; });
      --state->waiting;
      state->ended.notify_all();
    }
  }
};

WorkerThreads::WorkerThreads() : state_(std::make_shared<State>()) {}

WorkerThreads::~WorkerThreads() {
  std::unique_lock lock(state_->mutex);
  state_->closed = true;
  for (const auto& worker : state_->idle) worker->wake.notify_one();
  state_->idle.clear();
  state_->ended.wait(lock, [this] { return state_->waiting == 0; });
}

void WorkerThreads::run(std::function<void()> task) {
  const std::lock_guard lock(state_->mutex);
  if (!state_->idle.empty()) {
    const auto worker = state_->idle.back();
    state_->idle.pop_back();
    worker->task = std::move(task);
    worker->wake.notify_one();
    return;
  }
  const auto worker = std::make_shared<Worker>();
  worker->task = std::move(task);
  std::thread([state = state_, worker] { State::serve(state, worker); }).detach();
}

bool PatientGuard::suspended(const std::string& kind, const std::string& plugin) const {
  const std::lock_guard lock(mutex_);
  return suspended_.count({kind, plugin}) != 0;
}

void PatientGuard::refuse_suspended(const Call& call) const {
  if (suspended(call.kind, call.plugin))
    throw Error(ErrorCode::plugin, call.text() + ": the plug-in is suspended because an earlier call did not come back",
                remedy);
}

void PatientGuard::suspend(const Call& call) {
  {
    const std::lock_guard lock(mutex_);
    suspended_.insert({call.kind, call.plugin});
  }
  std::ostringstream seconds;
  seconds << std::chrono::duration<double>(patience_).count();
  throw Error(ErrorCode::plugin,
              call.text() + ": did not come back within " + seconds.str() + " s, so the plug-in is suspended", remedy);
}

}  // namespace pbotvm::plugin
