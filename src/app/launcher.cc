#include "app/launcher.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>

#include "app/descendants.h"
#include "app/keeper.h"
#include "app/program.h"
#include "app/role_prefix.h"
#include "base/strings.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::app {
namespace {

// What processes that outlive their member may still write before they are killed.
constexpr std::chrono::seconds kLastWords{1};
constexpr std::size_t kReadBytesMax = 1 << 20;
// Reading a process's memory map stops it for a fraction of a millisecond.
constexpr std::chrono::milliseconds kMemoryInterval{250};

base::TimePoint now() { return std::chrono::steady_clock::now(); }

int poll_timeout_ms(base::TimePoint until) {
  if (until == base::kForever) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

std::vector<std::string> environment_with(const std::map<std::string, std::string>& added) {
  std::vector<std::string> entries;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (!added.contains(std::string(text.substr(0, text.find('='))))) entries.emplace_back(text);
  }
  for (const auto& [name, value] : added) entries.push_back(base::str_cat(name, "=", value));
  return entries;
}

}  // namespace

Launcher::Launcher(base::Duration grace, bool report_memory, int liveness_fd,
                   const sigset_t& child_mask)
    : grace_(grace),
      report_memory_(report_memory),
      liveness_fd_(liveness_fd),
      child_mask_(child_mask),
      signal_fd_(-1),
      out_(STDOUT_FILENO),
      err_(STDERR_FILENO) {
  const sigset_t signals = kept_signals();
  signal_fd_ = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
}

Launcher::~Launcher() {
  for (const auto& stream : streams_) {
    if (stream->fd >= 0) close(stream->fd);
  }
  close(signal_fd_);
}

int Launcher::run(const std::vector<LaunchTask>& plan, Task chief) {
  start(plan);
  policy_ = std::make_unique<LaunchPolicy>(members_, chief, grace_);
  if (report_memory_) memory_ = std::make_unique<MemoryWatch>(members_, kMemoryInterval);
  while (!policy_->done() && !abandoned_) {
    if (memory_) memory_->on_time(now());
    step(memory_ ? std::min(policy_->next_time(), memory_->next_time()) : policy_->next_time());
    act(policy_->on_time(now()));
  }
  finish();
  return abandoned_ ? 1 : policy_->exit_code();
}

void Launcher::start(const std::vector<LaunchTask>& plan) {
  // All programs are looked up before the first is started.
  std::map<std::string, std::string> paths;
  for (const LaunchTask& task : plan) {
    const std::string& name = task.command.front();
    if (!paths.contains(name)) paths[name] = find_program(name);
  }
  const bool colour_out = may_colour(STDOUT_FILENO);
  const bool colour_err = may_colour(STDERR_FILENO);
  for (const LaunchTask& task : plan) {
    const process::ChildProcess child =
        process::start_child({paths[task.command.front()], task.command,
                              environment_with(task.environment), child_mask_});
    members_.push_back({task.task, child.pid});
    add_stream(child.out, out_, role_prefix(task.task, colour_out));
    add_stream(child.err, err_, role_prefix(task.task, colour_err));
  }
}

void Launcher::add_stream(int fd, OutputQueue& queue, const std::string& prefix) {
  auto emit = [&queue, prefix](std::string_view line) {
    queue.push(prefix);
    queue.push(line);
    queue.push("\n");
  };
  streams_.push_back(std::make_unique<Stream>(Stream{fd, &queue, LineSplitter(std::move(emit))}));
}

void Launcher::step(base::TimePoint limit) {
  std::vector<pollfd> polled = {{signal_fd_, POLLIN, 0}, {liveness_fd_, POLLIN, 0}};
  for (const OutputQueue* queue : {&out_, &err_}) {
    if (!queue->empty()) polled.push_back({queue->fd(), POLLOUT, 0});
  }
  for (const auto& stream : streams_) {
    // A reader that is slow slows the processes down, as it would without the launcher.
    if (stream->fd >= 0 && !stream->queue->is_full()) polled.push_back({stream->fd, POLLIN, 0});
  }
  if (poll(polled.data(), polled.size(), poll_timeout_ms(limit)) < 0) return;
  if (polled[1].revents != 0) abandoned_ = true;
  if (polled[0].revents != 0) on_signals();
  read_streams();
  out_.flush();
  err_.flush();
}

void Launcher::read_streams() {
  for (const auto& stream : streams_) {
    if (stream->fd >= 0 && !stream->queue->is_full()) read_stream(*stream);
  }
}

void Launcher::read_stream(Stream& stream) {
  char buffer[1 << 16];
  for (std::size_t total = 0; total < kReadBytesMax;) {
    const ssize_t count = read(stream.fd, buffer, sizeof(buffer));
    if (count > 0) {
      stream.splitter.feed({buffer, static_cast<std::size_t>(count)}, now());
      total += static_cast<std::size_t>(count);
    } else if (count < 0 && errno == EINTR) {
      continue;
    } else {
      if (count < 0 && errno == EAGAIN) return;
      stream.splitter.finish();
      close(stream.fd);
      stream.fd = -1;
      return;
    }
  }
}

void Launcher::on_signals() {
  signalfd_siginfo info;
  bool child_ended = false;
  while (read(signal_fd_, &info, sizeof(info)) == sizeof(info)) {
    const int signal = static_cast<int>(info.ssi_signo);
    if (signal == SIGCHLD) {
      child_ended = true;
    } else {
      hurried_ = policy_->done() || policy_->was_signalled();
      act(policy_->on_signal(signal));
    }
  }
  if (child_ended) on_child();
}

void Launcher::on_child() {
  int raw = 0;
  for (pid_t pid = waitpid(-1, &raw, WNOHANG); pid > 0; pid = waitpid(-1, &raw, WNOHANG)) {
    const auto member = std::find_if(members_.begin(), members_.end(),
                                     [pid](const LaunchMember& one) { return one.pid == pid; });
    if (member == members_.end()) continue;  // an orphan that was adopted
    // What it said comes before what is said about it.
    read_streams();
    const auto index = static_cast<std::size_t>(member - members_.begin());
    act(policy_->on_end(index, process::exit_status_of(raw), now()));
  }
}

void Launcher::act(const LaunchActions& actions) {
  for (const std::string& line : actions.say) say(line);
  // Only members that were not collected are signalled: their numbers are nobody else's.
  for (const auto& [member, signal] : actions.signals) kill(-members_[member].pid, signal);
}

void Launcher::say(const std::string& line) {
  err_.push(base::str_cat("dtrain launch: ", line, "\n"));
}

bool Launcher::any_stream_open() const {
  return std::any_of(streams_.begin(), streams_.end(),
                     [](const auto& stream) { return stream->fd >= 0; });
}

void Launcher::finish() {
  const auto deadline = now() + kLastWords;
  while (any_stream_open() && !abandoned_ && !hurried_ && now() < deadline) {
    step(deadline);
  }
  if (!kill_descendants()) say("some processes cannot be killed: see ps for state D");
  for (const auto& stream : streams_) {
    if (stream->fd < 0) continue;
    read_stream(*stream);
    stream->splitter.finish();
  }
  if (const std::string summary = policy_->summary(); !summary.empty()) say(summary);
  if (memory_) {
    say("largest memory (Pss) of each process:");
    for (const std::string& line : memory_->report()) say("  " + line);
  }
  if (out_.is_closed()) say("standard output was closed; what was written after that is lost");
  drain_output();
}

void Launcher::drain_output() {
  // As long as a reader that has paused (a pager) needs: nothing of the job runs any more.
  for (out_.flush(), err_.flush(); !(out_.empty() && err_.empty());) {
    if (abandoned_ || hurried_) return;
    step(base::kForever);
  }
}

}  // namespace dtrain::inline v0::app
