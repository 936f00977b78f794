#pragma once

#include <csignal>
#include <memory>
#include <string>
#include <vector>

#include "app/launch_plan.h"
#include "app/launch_policy.h"
#include "app/line_splitter.h"
#include "app/memory_watch.h"
#include "app/output_queue.h"
#include "process/child_process.h"

namespace dtrain::inline v0::app {

/// Starts the processes of a plan, passes their output on line by line with a prefix, and ends
/// them as LaunchPolicy says. One thread, one poll loop. The process must have adopt_orphans() and
/// kept_signals() blocked (run_kept does both).
class Launcher {
 public:
  /// `liveness_fd` is readable (end of file) when nobody waits for the result any more.
  /// `report_memory`: says at the end how much each process took at most.
  Launcher(base::Duration grace, bool report_memory, int liveness_fd, const sigset_t& child_mask);
  ~Launcher();
  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;

  /// Runs until every process has ended and nothing of them is left. Returns the exit code.
  /// Throws what process::start_child() throws; whoever was started is then left for the caller to
  /// kill.
  int run(const std::vector<LaunchTask>& plan, Task chief);

 private:
  // One of a member's two outputs.
  struct Stream {
    int fd = -1;
    OutputQueue* queue = nullptr;
    LineSplitter splitter;
  };

  void start(const std::vector<LaunchTask>& plan);
  void add_stream(int fd, OutputQueue& queue, const std::string& prefix);
  /// Waits for the next event and handles it; `limit` bounds the wait.
  void step(base::TimePoint limit);
  void read_stream(Stream& stream);
  void read_streams();
  void on_signals();
  void on_child();
  void act(const LaunchActions& actions);
  void say(const std::string& line);
  void finish();
  void drain_output();
  bool any_stream_open() const;

  base::Duration grace_;
  bool report_memory_;
  int liveness_fd_;
  sigset_t child_mask_;
  int signal_fd_;
  OutputQueue out_;
  OutputQueue err_;
  std::vector<LaunchMember> members_;
  std::vector<std::unique_ptr<Stream>> streams_;
  std::unique_ptr<LaunchPolicy> policy_;
  std::unique_ptr<MemoryWatch> memory_;  // null unless asked for
  bool abandoned_ = false;               // nobody waits for the result
  bool hurried_ = false;  // the user asked twice: do not wait for a reader of the output
};

}  // namespace dtrain::inline v0::app
