#include "dtrain/strategy.h"

#include <cstdlib>
#include <utility>

#include "base/strings.h"
#include "cluster/cluster_impl.h"
#include "compute/cpu_device.h"
#include "dtrain/error.h"
#include "ps/remote_table.h"
#include "strategy/model_impl.h"

namespace dtrain::inline v0 {
namespace {

constexpr int kThreadsMax = 1024;

int thread_count(const BuildOptions& options) {
  if (options.threads) {
    if (*options.threads >= 1 && *options.threads <= kThreadsMax) return *options.threads;
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat("BuildOptions::threads is ", *options.threads),
                base::str_cat("Give 1 to ", kThreadsMax));
  }
  const char* variable = std::getenv("DTRAIN_NUM_THREADS");
  if (!variable) return 1;
  char* end = nullptr;
  const long threads = std::strtol(variable, &end, 10);
  if (end == variable || *end != '\0' || threads < 1 || threads > kThreadsMax) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat("DTRAIN_NUM_THREADS is \"", variable, "\""),
                base::str_cat("Set a number from 1 to ", kThreadsMax, ", or unset it"));
  }
  return static_cast<int>(threads);
}

}  // namespace

Strategy::Strategy(Cluster* cluster, ParameterServerOptions options)
    : cluster_(cluster), options_(std::move(options)) {}

Strategy Strategy::local() { return Strategy(nullptr, {}); }

Strategy Strategy::parameter_server(Cluster& cluster, ParameterServerOptions options) {
  ps::RemoteTable check(cluster);  // throws what is wrong with the cluster now, not at compile()
  return Strategy(&cluster, std::move(options));
}

Model Strategy::build(const Sequential& description, const BuildOptions& options) const {
  return build(to_functional(description), options);
}

Model Strategy::build(const Functional& description, const BuildOptions& options) const {
  auto device = compute::cpu_device({.threads = thread_count(options)});
  const bool shared = cluster_ && cluster_->impl().endpoint()->shares_memory();
  // Tables of rows live on the servers where there are some.
  auto impl = std::make_unique<Model::Impl>(
      description, options.seed, std::move(device),
      model::NetworkOptions{.rows_elsewhere = cluster_ != nullptr}, shared);
  impl->set_exchange(cluster_ ? strategy::make_parameter_server_exchange(
                                    *cluster_, options_, impl->network(), impl->arenas())
                              : strategy::make_local_exchange(impl->network(), impl->arenas()));
  return Model(std::move(impl));
}

}  // namespace dtrain::inline v0
