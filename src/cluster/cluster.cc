#include "dtrain/cluster.h"

#include <algorithm>
#include <utility>

#include "cluster/cluster_impl.h"

namespace dtrain::inline v0 {

Cluster::Cluster(ClusterSpec spec, ClusterOptions options)
    : impl_(std::make_unique<Impl>(std::move(spec), std::move(options))) {
  impl_->join();
}

Cluster::Cluster(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Cluster::~Cluster() {
  if (!impl_ || impl_->left()) return;
  try {
    impl_->leave(Error(ErrorCode::kAborted, "the cluster was destroyed before close()"), true);
  } catch (const std::exception& error) {
    impl_->logger().warning("leaving the cluster: ", error.what());
  }
}

Cluster::Cluster(Cluster&&) noexcept = default;
Cluster& Cluster::operator=(Cluster&&) noexcept = default;

const ClusterSpec& Cluster::spec() const { return impl_->spec(); }
const ClusterOptions& Cluster::options() const { return impl_->options(); }

void Cluster::check() const {
  const cluster::View view = impl_->view();
  if (view.failure) throw *view.failure;
}

std::vector<MemberStatus> Cluster::members() const {
  std::vector<MemberStatus> members;
  for (const auto& member : impl_->view().members) {
    const bool unlisted = member.peer.address.empty() && member.peer.task != task();
    if (unlisted && member.state == MemberStatus::State::kJoining) continue;
    members.push_back({member.peer.task, member.state, member.detail});
  }
  return members;
}

std::uint64_t Cluster::membership_epoch() const { return impl_->view().epoch; }

Traffic Cluster::traffic() const { return impl_->traffic(); }

void Cluster::barrier(std::string_view name) { (void)impl_->gather(name, {}); }

std::vector<std::string> Cluster::all_gather(std::string_view name, std::string_view bytes) {
  return impl_->gather(name, bytes);
}

void Cluster::close() {
  const cluster::View view = impl_->view();
  if (view.failure) {
    impl_->leave(view.failure, true);
    throw *view.failure;
  }
  impl_->leave({}, true);
  // It may have failed while this process waited for the others.
  if (const base::Status failure = impl_->view().failure) throw *failure;
}

void Cluster::abort(const Error& error) {
  const cluster::View view = impl_->view();
  impl_->leave(view.failure ? *view.failure : error, true);
}

}  // namespace dtrain::inline v0
