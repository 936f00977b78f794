#include "dtrain/parameter_server.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "cluster/cluster_impl.h"
#include "ps/server.h"

namespace dtrain::inline v0 {

class ParameterServer::Impl {
 public:
  explicit Impl(Cluster& cluster) : cluster_(cluster.impl()) {
    const Task self = cluster_.spec().self();
    if (self.role != Role::kPs || !cluster_.endpoint()) {
      throw Error(ErrorCode::kFailedPrecondition,
                  base::str_cat(to_string(self), " is no parameter server"),
                  "Start it with a ps's task in TF_CONFIG");
    }
    server_ =
        std::make_shared<ps::Server>(*cluster_.endpoint(), to_string(self), cluster_.logger());
    cluster_.on_gone([weak = std::weak_ptr(server_),
                      workers = cluster_.spec().workers()](const cluster::View::Member& member) {
      const auto server = weak.lock();
      const auto found = std::ranges::find(workers, member.peer.task);
      if (!server || found == workers.end()) return;
      const auto rank = static_cast<int>(found - workers.begin());
      if (member.state == MemberStatus::State::kLeft) {
        server->worker_left(member.incarnation, rank);
      } else {
        server->worker_lost(member.incarnation, rank);
      }
    });
    cluster_.endpoint()->set_handler(transport::Service::kPs, server_.get());
  }

  ~Impl() {
    try {
      cluster_.endpoint()->set_handler(transport::Service::kPs, nullptr);
    } catch (const std::exception& error) {
      cluster_.logger().warning("closing the parameter server: ", error.what());
    }
  }

  void wait() {
    cluster_.wait_finished();
    cluster_.run_on_io([&] {
      const ps::ServerStats& stats = server_->stats();
      cluster_.logger().info(
          to_string(cluster_.spec().self()), ": ", stats.updates, " updates from ",
          stats.contributions, " contributions",
          stats.late_contributions == 0
              ? std::string()
              : base::str_cat("; ", stats.late_contributions, " came too late and were dropped"));
    });
  }

 private:
  Cluster::Impl& cluster_;
  std::shared_ptr<ps::Server> server_;
};

ParameterServer::ParameterServer(Cluster& cluster) : impl_(std::make_unique<Impl>(cluster)) {}
ParameterServer::~ParameterServer() = default;
ParameterServer::ParameterServer(ParameterServer&&) noexcept = default;
ParameterServer& ParameterServer::operator=(ParameterServer&&) noexcept = default;

void ParameterServer::wait() { impl_->wait(); }

}  // namespace dtrain::inline v0
