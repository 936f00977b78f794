#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "cluster/participant.h"
#include "dtrain/cluster.h"
#include "transport/endpoint.h"

namespace dtrain::inline v0 {

/// What the modules above see of a cluster: its endpoint, its news and its log.
class Cluster::Impl {
 public:
  /// Says hello, but waits for nobody: join() does.
  Impl(ClusterSpec spec, ClusterOptions options);
  ~Impl();

  /// Returns when all members have joined; throws when they have not in time, or the job failed.
  void join();

  const ClusterSpec& spec() const { return spec_; }
  const ClusterOptions& options() const { return options_; }
  const observe::Logger& logger() const { return logger_; }

  /// Null for a local cluster.
  transport::Endpoint* endpoint() { return endpoint_.get(); }
  /// A task's address as the endpoint's connect() takes it.
  std::string transport_address(Task task) const;

  /// Says without how many workers the job goes on when they are lost; none at first. Matters at
  /// the chief only.
  void tolerate_worker_losses(int losses_max);
  /// Listeners run on the endpoint's I/O thread and stay until the cluster is gone.
  void on_failure(std::function<void(const Error&)> listener);
  void on_gone(std::function<void(const cluster::View::Member&)> listener);

  cluster::View view() const;
  Traffic traffic() const;
  std::vector<std::string> gather(std::string_view name, std::string_view bytes);
  /// Returns when the chief says that the job is done; throws when it has failed.
  void wait_finished();
  /// Ends this process's part; see Participant::leave.
  void leave(const base::Status& error, bool wait);
  bool left() const { return left_; }

  /// 1, 2, ...: tells apart what this process makes one after the other. Any thread.
  std::uint64_t next_number() { return ++last_number_; }

  /// Runs `function` on the I/O thread and waits for it.
  void run_on_io(const std::function<void()>& function);
  /// Runs `function` on the I/O thread later, and `on_error` there with what it throws.
  void post_on_io(std::function<void()> function, std::function<void(const Error&)> on_error);

 private:
  std::string describe_missing() const;
  void log_traffic() const;

  const ClusterSpec spec_;
  const ClusterOptions options_;
  const observe::Logger logger_;
  std::string transport_;
  std::unique_ptr<transport::Endpoint> endpoint_;
  std::unique_ptr<cluster::Participant> participant_;
  std::atomic<bool> left_ = false;
  std::atomic<std::uint64_t> last_number_ = 0;
};

}  // namespace dtrain::inline v0
