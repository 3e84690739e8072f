// SPDX-License-Identifier: MIT
#include "plugin/patient_guard.h"

#include <algorithm>
#include <condition_variable>
#include <sstream>
#include <thread>
#include <vector>

namespace pbotvm::plugin {

namespace {
constexpr std::size_t max_idle = 8;  // threads kept for the next call; more are ended when they are done
constexpr const char* remedy = "see pbotvm status; mend or remove the plug-in";

template <typename Calls>
std::size_t calls_out(const Calls& calls) {
  return static_cast<std::size_t>(std::count_if(calls.begin(), calls.end(), [](const auto& back) { return !*back; }));
}
}  // namespace

struct WorkerThreads::Worker {
  std::thread thread;  // joinable until somebody waits for it, or nobody will
  std::condition_variable wake;
  std::function<void()> task;  // empty while it waits
  bool abandoned = false;
};

struct WorkerThreads::State {
  std::mutex mutex;
  std::vector<std::shared_ptr<Worker>> workers;  // all that are not abandoned
  std::vector<std::shared_ptr<Worker>> idle;
  std::size_t left_behind = 0;
  bool closed = false;

  static void serve(const std::shared_ptr<State>& state, const std::shared_ptr<Worker>& worker) {
    std::unique_lock lock(state->mutex);
    while (worker->task) {
      std::function<void()> task = std::exchange(worker->task, nullptr);
      lock.unlock();
      task();
      task = nullptr;  // what it owns goes before the thread counts as idle
      lock.lock();
      if (worker->abandoned) --state->left_behind;
      if (state->closed || worker->abandoned) return;
      if (state->idle.size() >= max_idle) return state->let_go(*worker);
      state->idle.push_back(worker);
      worker->wake.wait(lock, [&] { return worker->task || state->closed; });
    }
  }

  // With the mutex held.
  void let_go(Worker& worker) {
    worker.thread.detach();
    workers.erase(
        std::find_if(workers.begin(), workers.end(), [&](const auto& each) { return each.get() == &worker; }));
  }
};

WorkerThreads::WorkerThreads() : state_(std::make_shared<State>()) {}

WorkerThreads::~WorkerThreads() {
  std::vector<std::shared_ptr<Worker>> workers;
  {
    const std::lock_guard lock(state_->mutex);
    state_->closed = true;
    state_->idle.clear();
    workers.swap(state_->workers);
    for (const auto& worker : workers) worker->wake.notify_one();
  }
  for (const auto& worker : workers) worker->thread.join();
}

WorkerThreads::Run WorkerThreads::run(std::function<void()> task) {
  const std::lock_guard lock(state_->mutex);
  if (!state_->idle.empty()) {
    const auto worker = state_->idle.back();
    state_->idle.pop_back();
    worker->task = std::move(task);
    worker->wake.notify_one();
    return worker;
  }
  const auto worker = std::make_shared<Worker>();
  worker->task = std::move(task);
  state_->workers.push_back(worker);
  try {
    worker->thread = std::thread([state = state_, worker] { State::serve(state, worker); });
  } catch (...) {
    state_->workers.pop_back();
    throw;
  }
  return worker;
}

void WorkerThreads::abandon(const Run& run) {
  const std::lock_guard lock(state_->mutex);
  const auto worker = run.lock();
  // It may have come back meanwhile, and be idle or have gone: then there is nothing to give up.
  if (!worker || std::find(state_->idle.begin(), state_->idle.end(), worker) != state_->idle.end()) return;
  if (std::find(state_->workers.begin(), state_->workers.end(), worker) == state_->workers.end()) return;
  worker->abandoned = true;
  ++state_->left_behind;
  state_->let_go(*worker);
}

std::size_t WorkerThreads::left_behind() const {
  const std::lock_guard lock(state_->mutex);
  return state_->left_behind;
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

std::vector<Suspension> PatientGuard::suspensions() const {
  const std::lock_guard lock(mutex_);
  std::vector<Suspension> all;
  for (const auto& [plugin, calls] : suspended_) all.push_back({plugin.first, plugin.second, calls_out(calls)});
  return all;
}

std::vector<Suspension> PatientGuard::resume() {
  const std::lock_guard lock(mutex_);
  std::vector<Suspension> resumed;
  std::erase_if(suspended_, [&resumed](const auto& one) {
    const bool back = calls_out(one.second) == 0;
    if (back) resumed.push_back({one.first.first, one.first.second, 0});
    return back;
  });
  return resumed;
}

void PatientGuard::suspend(const Call& call, CameBack back) {
  {
    const std::lock_guard lock(mutex_);
    suspended_[{call.kind, call.plugin}].push_back(std::move(back));
  }
  std::ostringstream seconds;
  seconds << std::chrono::duration<double>(patience_).count();
  throw Error(ErrorCode::plugin,
              call.text() + ": did not come back within " + seconds.str() + " s, so the plug-in is suspended", remedy);
}

}  // namespace pbotvm::plugin
