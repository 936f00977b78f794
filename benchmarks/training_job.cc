#include "training_job.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <memory>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/strings.h"
#include "dtrain/error.h"
#include "process/child_process.h"
#include "process/exit_status.h"

extern char** environ;  // NOLINT(readability-redundant-declaration)

namespace dtrain::benchmarks {
namespace {

constexpr auto kJobMax = std::chrono::seconds(60);
constexpr std::string_view kMark = "RESULT ";

using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(const std::string& what, const std::string& output) {
  throw Error(ErrorCode::kInternal, what, output.empty() ? "It wrote nothing" : output);
}

/// The environment of a process that is not in a cluster already.
std::vector<std::string> environment(int threads) {
  std::vector<std::string> variables = {base::str_cat("DTRAIN_NUM_THREADS=", threads)};
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    if (text.starts_with("TF_CONFIG=") || text.starts_with("DTRAIN_NUM_THREADS=")) continue;
    variables.emplace_back(text);
  }
  return variables;
}

/// A process and what it writes. Kills it if it has not ended.
class Running {
 public:
  Running(const std::vector<std::string>& arguments, int threads) : name_(arguments.front()) {
    process::ChildCommand command{.program = arguments.front(),
                                  .arguments = arguments,
                                  .environment = environment(threads),
                                  .signal_mask = {}};
    sigemptyset(&command.signal_mask);
    process_ = process::start_child(command);
  }
  ~Running() {
    if (process_.pid > 0) {
      kill(process_.pid, SIGTERM);  // `dtrain launch` ends its processes first
      waitpid(process_.pid, nullptr, 0);
    }
    close(process_.out);
    close(process_.err);
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  /// Standard output once it has ended well.
  std::string finish(Clock::time_point deadline) {
    std::string out;
    std::string err;
    pollfd files[] = {{process_.out, POLLIN, 0}, {process_.err, POLLIN, 0}};
    while (files[0].fd >= 0 || files[1].fd >= 0) {
      const auto left =
          std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
      if (left <= 0) fail(name_ + " did not end in time", err);
      poll(files, 2, static_cast<int>(left));
      if (files[0].revents != 0 && !read_some(files[0].fd, out)) files[0].fd = -1;
      if (files[1].revents != 0 && !read_some(files[1].fd, err)) files[1].fd = -1;
    }
    int status = 0;
    waitpid(std::exchange(process_.pid, -1), &status, 0);
    const process::ExitStatus end = process::exit_status_of(status);
    if (!end.ok()) fail(name_ + " " + process::describe(end), err);
    return out;
  }

 private:
  /// False at the end of the file.
  static bool read_some(int fd, std::string& text) {
    char buffer[4096];
    const ssize_t count = read(fd, buffer, sizeof(buffer));
    if (count > 0) text.append(buffer, static_cast<std::size_t>(count));
    return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
  }

  const std::string name_;
  process::ChildProcess process_;
};

TrainingReport parse(std::string_view text, double started_s) {
  const auto json = nlohmann::json::parse(text);
  TrainingReport report{.examples_per_s = json.at("examples_per_s"),
                        .p50_us = json.at("p50_us"),
                        .first_loss = json.at("first_loss"),
                        .last_loss = json.at("last_loss"),
                        .checksum = json.at("checksum"),
                        .first_step_s = json.at("first_step_s").get<double>() - started_s};
  for (const auto& process : json.at("memory")) {
    report.memory.push_back({process.at("task"), process.at("pss_bytes")});
  }
  return report;
}

void parse_all(const std::string& output, double started_s, std::vector<TrainingReport>& reports) {
  for (std::size_t at = output.find(kMark); at != std::string::npos; at = output.find(kMark, at)) {
    at += kMark.size();
    const std::size_t end = std::min(output.find('\n', at), output.size());
    reports.push_back(parse(std::string_view(output).substr(at, end - at), started_s));
  }
}

std::vector<std::string> command_of(const TrainingJob& job) {
  std::vector<std::string> command;
  if (job.mode != "local") {
    command = {DTRAIN_PROGRAM,
               "launch",
               "--workers",
               base::str_cat(job.workers),
               "--ps",
               base::str_cat(job.servers),
               "--"};
  }
  for (const std::string& word : std::vector<std::string>{
           TRAINING_TASK, "--model", job.model, "--mode", job.mode, "--steps",
           base::str_cat(job.steps), "--warmup", base::str_cat(job.warmup), "--epoch_steps",
           base::str_cat(job.epoch_steps), "--memory", job.memory ? "1" : "0"}) {
    command.push_back(word);
  }
  return command;
}

void check(const TrainingJob& job, const std::vector<TrainingReport>& reports) {
  if (reports.size() != static_cast<std::size_t>(job.workers)) {
    fail(base::str_cat(reports.size(), " of ", job.workers, " workers have reported"), {});
  }
  for (const TrainingReport& report : reports) {
    if (!(report.last_loss < report.first_loss)) {
      fail(base::str_cat("the loss went from ", report.first_loss, " to ", report.last_loss), {});
    }
    if (job.mode == "sync" && report.checksum != reports.front().checksum) {
      fail("synchronous workers ended with different weights", {});
    }
  }
}

}  // namespace

std::vector<TrainingReport> run(const TrainingJob& job) {
  const auto deadline = Clock::now() + kJobMax;
  const double started_s =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  const int programs = job.mode == "local" ? job.workers : 1;
  std::vector<std::unique_ptr<Running>> running;
  for (int i = 0; i < programs; ++i) {
    running.push_back(std::make_unique<Running>(command_of(job), job.threads));
  }
  std::vector<TrainingReport> reports;
  for (const auto& program : running) parse_all(program->finish(deadline), started_s, reports);
  check(job, reports);
  return reports;
}

double examples_per_s(const std::vector<TrainingReport>& reports) {
  double sum = 0;
  for (const TrainingReport& report : reports) sum += report.examples_per_s;
  return sum;
}

}  // namespace dtrain::benchmarks
