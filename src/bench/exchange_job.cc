#include "bench/exchange_job.h"

#include <charconv>
#include <iostream>
#include <utility>

#include "base/strings.h"
#include "dtrain/error.h"
#include "dtrain/parameter_server.h"

namespace dtrain::inline v0::bench {
namespace {

constexpr const char* kRole = "exchange";
constexpr auto kJoinTimeout = std::chrono::seconds(60);
constexpr auto kOperationTimeout = std::chrono::seconds(60);
constexpr auto kEndTimeout = std::chrono::seconds(20);

// The order of a child's arguments. The chief's repetitions and seconds are of no interest to it.
std::vector<std::string> encode(const ExchangeJobOptions& job) {
  const ExchangeOptions& options = job.exchange;
  return {job.transport,
          std::string(to_string(options.workload)),
          std::to_string(options.size_bytes),
          std::to_string(options.variables),
          options.model,
          std::string(to_string(options.dtype)),
          std::to_string(options.asynchronous ? 1 : 0),
          std::to_string(options.arena ? 1 : 0),
          std::to_string(options.chunk_bytes),
          std::to_string(options.rows),
          std::to_string(options.width),
          std::to_string(options.keys)};
}

std::int64_t number(const std::string& text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

ExchangeJobOptions decode(const std::vector<std::string>& arguments) {
  constexpr std::size_t kArguments = 12;
  if (arguments.size() != kArguments) {
    throw Error(ErrorCode::kInternal, base::str_cat("an exchange child was started with ",
                                                    arguments.size(), " arguments"));
  }
  auto next = arguments.begin();
  ExchangeJobOptions job;
  ExchangeOptions& options = job.exchange;
  job.transport = *next++;
  options.workload = parse_workload(*next++);
  options.size_bytes = static_cast<std::uint64_t>(number(*next++));
  options.variables = static_cast<int>(number(*next++));
  options.model = *next++;
  options.dtype = parse_dtype(*next++);
  options.asynchronous = number(*next++) == 1;
  options.arena = number(*next++) == 1;
  options.chunk_bytes = static_cast<std::size_t>(number(*next++));
  options.rows = number(*next++);
  options.width = number(*next++);
  options.keys = number(*next++);
  return job;
}

ClusterOptions cluster_options(const std::string& transport) {
  return {.join_timeout = kJoinTimeout,
          .operation_timeout = kOperationTimeout,
          .transport = transport,
          .log = [](LogLevel level, std::string_view text) {
            if (level != LogLevel::kInfo) std::cerr << text << "\n";
          }};
}

void run_exchange_child(ChildSide& side) {
  const ExchangeJobOptions options = decode(side.arguments);
  Cluster cluster(ClusterSpec::from_environment(), cluster_options(options.transport));
  if (cluster.task().role == Role::kPs) {
    ParameterServer server(cluster);
    server.wait();
  } else {
    ExchangeSession session(cluster, options.exchange);
    session.follow();
  }
  cluster.close();
}

}  // namespace

ChildRole exchange_role() { return {kRole, run_exchange_child}; }

ExchangeJob::ExchangeJob(const ExchangeJobOptions& options) : options_(options) {
  start_children();
  cluster_ = std::make_unique<Cluster>(spec_, cluster_options(options_.transport));
  session_ = std::make_unique<ExchangeSession>(*cluster_, options_.exchange);
}

void ExchangeJob::start_children() {
  ClusterSpec::Jobs jobs;
  for (int i = 0; i < options_.workers; ++i) jobs["worker"][i] = ports_.emplace_back().address();
  for (int i = 0; i < options_.servers; ++i) jobs["ps"][i] = ports_.emplace_back().address();
  spec_ = ClusterSpec::create(jobs, "worker", 0);
  for (const Task task : spec_.tasks()) {
    if (task == spec_.self()) continue;
    children_.push_back(std::make_unique<Child>(
        ChildOptions{.role = kRole,
                     .arguments = encode(options_),
                     .environment = {base::str_cat("TF_CONFIG=", spec_.to_tf_config(task)),
                                     "DTRAIN_NUM_THREADS=1"}}));
  }
}

BatchTimes ExchangeJob::run(const Batch& batch) {
  if (!session_) {
    throw Error(ErrorCode::kFailedPrecondition, "the job has ended", "Start another");
  }
  try {
    return session_->run(batch);
  } catch (const Error& error) {
    session_.reset();
    cluster_->abort(error);  // the others do not wait for what this process does not do
    throw;
  }
}

ExchangeJob::~ExchangeJob() {
  try {
    close();
  } catch (const std::exception& error) {
    std::cerr << "ending the job: " << error.what() << "\n";
  }
}

void ExchangeJob::close() {
  if (!session_) return;
  const auto session = std::exchange(session_, nullptr);
  (void)session->finish();
  cluster_->close();
  for (const auto& child : children_) {
    const auto status = child->wait(kEndTimeout);
    if (status == process::ExitStatus{}) continue;
    throw Error(
        ErrorCode::kInternal,
        base::str_cat(child->channel().peer(), status ? " did not end well" : " has not ended"),
        "What it wrote to standard error says why");
  }
}

}  // namespace dtrain::inline v0::bench
