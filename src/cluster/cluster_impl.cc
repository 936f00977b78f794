#include "cluster/cluster_impl.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <random>
#include <utility>

#include "base/strings.h"
#include "cluster/coordinator.h"
#include "cluster/member.h"
#include "transport/address.h"
#include "transport/resolver.h"
#include "transport/zmq_endpoint.h"

namespace dtrain::inline v0 {
namespace {

/// Of all workers' values together: they travel in one message's body.
constexpr std::size_t kGatherBytesMax = 960 << 10;

/// What DTRAIN_TRANSPORT's word means: addresses' scheme, and what goes beside it.
struct TransportChoice {
  std::string scheme;
  transport::SharedMemoryUse shared_memory = transport::SharedMemoryUse::kOff;
};

TransportChoice choose_transport(const ClusterOptions& options) {
  using transport::SharedMemoryUse;
  const char* variable = std::getenv("DTRAIN_TRANSPORT");
  const bool from_options = !options.transport.empty();
  const std::string chosen = from_options ? options.transport : variable ? variable : "";
  if (chosen.empty() || chosen == "auto") return {"tcp", SharedMemoryUse::kAuto};
  if (chosen == "shm") return {"tcp", SharedMemoryUse::kRequired};
  if (chosen == "tcp" || chosen == "ipc") return {chosen, SharedMemoryUse::kOff};
  throw Error(ErrorCode::kInvalidArgument,
              base::str_cat(from_options ? "ClusterOptions::transport" : "DTRAIN_TRANSPORT",
                            " is \"", chosen, "\""),
              "Use auto, tcp, shm or ipc");
}

void check_positive(const char* field, std::chrono::milliseconds value) {
  if (value.count() > 0) return;
  throw Error(ErrorCode::kInvalidArgument,
              base::str_cat("ClusterOptions::", field, " is ", value.count(), " ms"),
              "Give a time above 0");
}

void validate(const ClusterOptions& options) {
  check_positive("join_timeout", options.join_timeout);
  check_positive("heartbeat_interval", options.heartbeat_interval);
  check_positive("peer_timeout", options.peer_timeout);
  check_positive("reconnect_timeout", options.reconnect_timeout);
  check_positive("operation_timeout", options.operation_timeout);
  if (options.peer_timeout < 2 * options.heartbeat_interval) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat("ClusterOptions::peer_timeout of ", options.peer_timeout.count(),
                              " ms is less than two heartbeats of ",
                              options.heartbeat_interval.count(), " ms"),
                "Raise peer_timeout or lower heartbeat_interval");
  }
}

/// Listens on exactly the address when that is a loopback number, so that a local job is not open
/// to the network; otherwise on all interfaces, because a pod's name need not be one of them.
std::string listen_address(const std::string& address) {
  const auto parsed = transport::parse_address("tcp://" + address);
  if (parsed.ok()) {
    const std::string& host = parsed.value().host;
    const bool loopback = host.starts_with("127.") || host == "::1" || host == "localhost";
    if (loopback) return "tcp://" + address;
  }
  return base::str_cat("tcp://*", address.substr(address.rfind(':')));
}

std::uint64_t new_incarnation() {
  std::random_device device;
  std::uint64_t number = 0;
  while (number == 0) number = std::uint64_t{device()} << 32 | device();
  return number;
}

std::vector<cluster::Peer> peers_of(const ClusterSpec& spec) {
  std::vector<cluster::Peer> peers;
  for (const Task task : spec.tasks()) peers.push_back({task, spec.address(task)});
  // TensorFlow lets the evaluator be absent from the cluster: the chief must know it all the same.
  const bool listed = std::ranges::any_of(
      peers, [](const cluster::Peer& peer) { return peer.task.role == Role::kEvaluator; });
  if (!listed) peers.push_back({{Role::kEvaluator, 0}, ""});
  return peers;
}

cluster::Timing timing_of(const ClusterOptions& options) {
  return {.heartbeat_interval = options.heartbeat_interval,
          .peer_timeout = options.peer_timeout,
          .reconnect_timeout = options.reconnect_timeout,
          .operation_timeout = options.operation_timeout};
}

}  // namespace

Cluster::Impl::Impl(ClusterSpec spec, ClusterOptions options)
    : spec_(std::move(spec)), options_(std::move(options)), logger_(options_.log) {
  validate(options_);
  const TransportChoice choice = choose_transport(options_);
  transport_ = choice.scheme;
  if (spec_.is_local()) return;
  transport::EndpointOptions endpoint;
  endpoint.shared_memory = choice.shared_memory;
  endpoint.job = spec_.fingerprint();
  endpoint.incarnation = new_incarnation();
  const Task self = spec_.self();
  const std::vector<cluster::Peer> peers = peers_of(spec_);
  const auto own = std::ranges::find(peers, self, &cluster::Peer::task);
  if (own != peers.end() && !own->address.empty()) {
    endpoint.listen =
        transport_ == "tcp" ? listen_address(spec_.address(self)) : transport_address(self);
  }
  endpoint_ = transport::make_zmq_endpoint(std::move(endpoint), logger_);
  if (spec_.is_chief()) {
    participant_ = std::make_unique<cluster::Coordinator>(*endpoint_, peers, spec_.workers(), self,
                                                          logger_, timing_of(options_));
  } else {
    transport::LinkId link = transport::kNoLink;
    run_on_io([&] { link = endpoint_->connect(transport_address(spec_.chief())).value(); });
    participant_ = std::make_unique<cluster::Member>(
        *endpoint_, peers, spec_.workers(), self,
        cluster::Peer{spec_.chief(), spec_.address(spec_.chief())}, link, logger_,
        timing_of(options_));
  }
  endpoint_->set_handler(transport::Service::kCluster, participant_.get());
  endpoint_->post([] {});  // a first round, so that timers run
}

Cluster::Impl::~Impl() {
  if (!endpoint_) return;
  endpoint_->set_handler(transport::Service::kCluster, nullptr);
  endpoint_.reset();
}

std::string Cluster::Impl::transport_address(Task task) const {
  if (transport_ == "tcp") return "tcp://" + spec_.address(task);
  return base::str_cat("ipc://@dtrain-", spec_.fingerprint(), "-", role_name(task.role), "-",
                       task.index);
}

void Cluster::Impl::run_on_io(const std::function<void()>& function) {
  const base::Completion<base::Done> done;
  post_on_io(
      [&function, done] {
        function();
        done.set(base::Done{});
      },
      [done](const Error& error) { done.set(error); });
  done.get();
}

void Cluster::Impl::post_on_io(std::function<void()> function,
                               std::function<void(const Error&)> on_error) {
  endpoint_->post([function = std::move(function), on_error = std::move(on_error)] {
    try {
      function();
    } catch (const Error& error) {
      on_error(error);
    } catch (const std::bad_alloc&) {
      on_error(Error(ErrorCode::kResourceExhausted, "there is no memory left for the operation"));
    } catch (const std::exception& error) {
      on_error(Error(ErrorCode::kInternal, error.what()));
    }
  });
}

void Cluster::Impl::join() {
  if (!participant_) return;
  const auto start = endpoint_->now();
  const auto deadline = start + options_.join_timeout;
  const base::Duration report_interval = std::chrono::seconds(5);
  auto report_at = start + report_interval;
  while (!participant_->joined().wait_until(std::min(report_at, deadline))) {
    const std::string missing = describe_missing();
    if (endpoint_->now() >= deadline) {
      const Error error(ErrorCode::kDeadlineExceeded,
                        base::str_cat(to_string(spec_.self()), " has waited ",
                                      base::seconds(options_.join_timeout), " s for ", missing),
                        "Start what is missing, check its log and address, or raise join_timeout");
      leave(error, true);
      throw error;
    }
    logger_.info(to_string(spec_.self()), ": waiting for ", missing, " (",
                 base::seconds(endpoint_->now() - start), " of ",
                 base::seconds(options_.join_timeout), " s)");
    report_at += report_interval;
  }
  try {
    participant_->joined().get();
  } catch (const Error& error) {
    leave(error, true);
    throw;
  }
}

std::string Cluster::Impl::describe_missing() const {
  constexpr std::size_t kNamedMax = 3;
  std::vector<cluster::Peer> missing = participant_->missing();
  const bool chief_unheard = std::ranges::any_of(
      missing, [&](const cluster::Peer& peer) { return peer.task == spec_.chief(); });
  if (chief_unheard) missing = {{spec_.chief(), spec_.address(spec_.chief())}};
  std::vector<std::string> parts;
  for (const cluster::Peer& peer : missing) {
    if (parts.size() == kNamedMax) {
      parts.push_back(base::str_cat("and ", missing.size() - kNamedMax, " more"));
      break;
    }
    std::string part = peer.describe();
    const auto address = transport::parse_address("tcp://" + peer.address);
    if (transport_ == "tcp" && address.ok() && !address.value().numeric() &&
        transport::resolve_host(address.value().host).empty()) {
      part += ", whose name does not resolve";
    }
    parts.push_back(std::move(part));
  }
  return base::join(parts);
}

Traffic Cluster::Impl::traffic() const {
  if (!endpoint_) return {};
  const transport::EndpointCounters counters = endpoint_->counters();
  // Read one after the other while messages are moving: never below zero.
  const auto rest = [](std::uint64_t all, std::uint64_t part) { return all - std::min(all, part); };
  return {.network_bytes_sent = rest(counters.payload_bytes_sent, counters.shared_bytes_sent),
          .network_bytes_received =
              rest(counters.payload_bytes_received, counters.shared_bytes_received),
          .shared_bytes_sent = counters.shared_bytes_sent,
          .shared_bytes_received = counters.shared_bytes_received,
          .staged_bytes = counters.staged_bytes};
}

void Cluster::Impl::log_traffic() const {
  const Traffic moved = traffic();
  const auto part = [](std::uint64_t sent, std::uint64_t received) {
    return base::str_cat(base::bytes(sent), " sent and ", base::bytes(received), " received");
  };
  std::vector<std::string> parts;
  if (moved.shared_bytes_sent + moved.shared_bytes_received > 0) {
    parts.push_back(part(moved.shared_bytes_sent, moved.shared_bytes_received) +
                    " through shared memory (" + base::bytes(moved.staged_bytes) + " copied)");
  }
  if (moved.network_bytes_sent + moved.network_bytes_received > 0) {
    parts.push_back(part(moved.network_bytes_sent, moved.network_bytes_received) + " over " +
                    transport_);
  }
  if (!parts.empty()) logger_.info(to_string(spec_.self()), ": payload: ", base::join(parts));
}

void Cluster::Impl::tolerate_worker_losses(int losses_max) {
  auto* coordinator = dynamic_cast<cluster::Coordinator*>(participant_.get());
  if (coordinator) run_on_io([=] { coordinator->tolerate_worker_losses(losses_max); });
}

void Cluster::Impl::on_failure(std::function<void(const Error&)> listener) {
  run_on_io([&] { participant_->on_failure(std::move(listener)); });
}

void Cluster::Impl::on_gone(std::function<void(const cluster::View::Member&)> listener) {
  run_on_io([&] { participant_->on_gone(std::move(listener)); });
}

cluster::View Cluster::Impl::view() const {
  if (participant_) return participant_->view();
  cluster::View view;
  view.members.push_back({.peer = {spec_.self(), ""}, .state = MemberStatus::State::kAlive});
  view.phase = cluster::Phase::kRunning;
  return view;
}

std::vector<std::string> Cluster::Impl::gather(std::string_view name, std::string_view bytes) {
  const std::size_t bytes_max = kGatherBytesMax / std::max<std::size_t>(spec_.workers().size(), 1);
  if (name.size() + bytes.size() > bytes_max) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat("all_gather(\"", name, "\") of ", bytes.size(), " bytes"),
                base::str_cat("With ", spec_.workers().size(), " workers give at most ", bytes_max,
                              " bytes, the name included"));
  }
  if (!spec_.rank()) {
    throw Error(ErrorCode::kFailedPrecondition,
                base::str_cat("\"", name, "\" was called by ", to_string(spec_.self())),
                "Barriers and gathers are for workers");
  }
  if (!participant_) return {std::string(bytes)};
  base::Completion<cluster::Gathered> result;
  run_on_io([&] { result = participant_->gather(std::string(name), std::string(bytes)); });
  return result.get();
}

void Cluster::Impl::wait_finished() {
  if (participant_) participant_->finished().get();
}

void Cluster::Impl::leave(const base::Status& error, bool wait) {
  if (!participant_) return;
  if (!left_.exchange(true)) {
    log_traffic();
    run_on_io([&] { participant_->leave(error); });
  }
  if (wait) participant_->left().get();
}

}  // namespace dtrain::inline v0
