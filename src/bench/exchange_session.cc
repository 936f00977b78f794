#include "bench/exchange_session.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <sstream>

#include "base/strings.h"
#include "bench/exchange_data.h"
#include "bench/exchange_models.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::bench {
namespace {

constexpr const char* kTable = "rows";
constexpr const char* kFinish = "finish";
// Cluster::all_gather takes 960 KiB of all workers together, its name included.
constexpr std::size_t kGatherBytes = 900 << 10;
constexpr std::size_t kSamplesBytesMax = 64 << 10;

using Clock = std::chrono::steady_clock;

std::string encode(const Batch& batch) {
  return base::str_cat(to_string(batch.workload), " ", batch.rounds, " ", batch.check ? 1 : 0);
}

Batch decode(const std::string& text) {
  std::istringstream in(text);
  std::string workload;
  Batch batch;
  in >> workload >> batch.rounds >> batch.check;
  if (!in) {
    throw Error(ErrorCode::kProtocol, base::str_cat("the chief said \"", text, "\""),
                "Run dtrain bench of the same version everywhere");
  }
  batch.workload = parse_workload(workload);
  return batch;
}

ParameterClientOptions client_options(const ExchangeOptions& options) {
  ParameterClientOptions client{.chunk_bytes = options.chunk_bytes};
  if (options.asynchronous) client.consistency = Asynchronous{};
  return client;
}

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || name.front() == 0) return "unknown";
  return name.data();
}

[[noreturn]] void report_wrong(const Cluster& cluster, const std::string& where, float value,
                               double expected) {
  throw Error(
      ErrorCode::kDataLoss,
      base::str_cat(to_string(cluster.task()), " got ", value, " for ", where, ", not ", expected),
      "This is a bug of dtrain, or a machine that loses bits");
}

}  // namespace

ExchangeSession::ExchangeSession(Cluster& cluster, const ExchangeOptions& options)
    : cluster_(cluster), options_(options), client_(cluster, client_options(options)) {
  validate(options_);
  push_.examples = example_weight(cluster_.rank(), cluster_.worker_count());
  if (is_rows(options_.workload)) {
    declare_rows();
  } else {
    declare_variables();
  }
}

void ExchangeSession::declare_variables() {
  variables_ = variables_of(options_);
  std::vector<std::uint64_t> counts;
  for (const Variable& variable : variables_) counts.push_back(element_count(variable.shape));
  gradient_memory_ = ExchangeMemory(client_, counts, options_.arena);
  value_memory_ = ExchangeMemory(client_, counts, options_.arena);
  const float factor = rank_factor(cluster_.rank());
  for (std::size_t i = 0; i < variables_.size(); ++i) {
    const std::span<float> gradient = gradient_memory_.parts()[i];
    const std::span<float> value = value_memory_.parts()[i];
    for (std::size_t j = 0; j < gradient.size(); ++j) {
      gradient[j] = gradient_value(i + j) * factor;
      value[j] = initial_value(i + j);
    }
    gradients_.push_back({variables_[i].name, gradient});
    values_.push_back({variables_[i].name, value});
  }
  std::vector<Variable> declared = variables_;
  for (std::size_t i = 0; i < declared.size(); ++i) declared[i].initial = values_[i].values;
  client_.declare(declared, Sgd{.learning_rate = 1.0F});
}

void ExchangeSession::declare_rows() {
  const auto rows = static_cast<std::uint64_t>(options_.rows);
  const auto width = static_cast<std::uint64_t>(options_.width);
  keys_ = draw_keys(rows, static_cast<std::uint64_t>(options_.keys), cluster_.rank());
  shares_ = row_shares(keys_, rows, cluster_.worker_count(), options_.asynchronous);
  const std::uint64_t count = keys_.size() * width;
  gradient_memory_ = ExchangeMemory(client_, std::array{count}, options_.arena);
  value_memory_ = ExchangeMemory(client_, std::array{count}, options_.arena);
  const std::span<float> gradient = gradient_memory_.parts().front();
  const float factor = rank_factor(cluster_.rank());
  for (std::uint64_t i = 0; i < keys_.size(); ++i) {
    for (std::uint64_t j = 0; j < width; ++j) {
      gradient[i * width + j] = gradient_value(row_element(keys_[i], j)) * factor;
    }
  }
  row_gradients_.push_back({kTable, keys_, gradient});
  row_values_.push_back({kTable, keys_, value_memory_.parts().front()});
  client_.declare(
      {},
      {{.name = kTable, .rows = options_.rows, .width = options_.width, .initializer = Zeros{}}},
      Sgd{.learning_rate = 1.0F});
  // A row that was never written is drawn anew by each pull: what is trained is read otherwise.
  operate(Workload::kRowsPush);
  cluster_.barrier("bench-rows-written");
}

std::uint64_t ExchangeSession::pushes_left() const {
  const std::uint64_t most = exact_steps_max(cluster_.worker_count(), options_.asynchronous);
  return most - std::min(most, pushes_);
}

BatchTimes ExchangeSession::run(const Batch& batch) {
  if (pushes(batch.workload) && batch.rounds + 1 > pushes_left()) {
    throw Error(ErrorCode::kFailedPrecondition,
                base::str_cat("after ", pushes_, " pushes, ", batch.rounds,
                              " more would leave the numbers that fp32 holds exactly"),
                base::str_cat("Ask for at most ", pushes_left(), " repetitions"));
  }
  (void)cluster_.all_gather("bench", encode(batch));
  return take_part(batch);
}

std::vector<WorkerFacts> ExchangeSession::finish() {
  (void)cluster_.all_gather("bench", kFinish);
  return gather_facts();
}

std::vector<WorkerFacts> ExchangeSession::gather_facts() {
  const Traffic traffic = cluster_.traffic();
  const std::string own = base::str_cat(
      host_name(), " ", traffic.network_bytes_sent + traffic.network_bytes_received, " ",
      traffic.shared_bytes_sent + traffic.shared_bytes_received, " ", traffic.staged_bytes);
  std::vector<WorkerFacts> facts;
  for (const std::string& text : cluster_.all_gather("bench-facts", own)) {
    std::istringstream in(text);
    WorkerFacts& worker = facts.emplace_back();
    in >> worker.host >> worker.network_bytes >> worker.shared_bytes >> worker.staged_bytes;
  }
  return facts;
}

void ExchangeSession::follow() {
  while (true) {
    const std::string said = cluster_.all_gather("bench", "").front();
    if (said == kFinish) break;
    (void)take_part(decode(said));
  }
  (void)gather_facts();
}

BatchTimes ExchangeSession::take_part(const Batch& batch) {
  if (batch.check) spoil_values();
  std::vector<float> us;
  us.reserve(batch.rounds);
  operate(batch.workload);  // not measured: workers come here at different times
  for (std::uint32_t i = 0; i < batch.rounds; ++i) {
    const auto begin = Clock::now();
    operate(batch.workload);
    us.push_back(std::chrono::duration<float, std::micro>(Clock::now() - begin).count());
  }
  if (batch.check) check_values(batch.workload);
  Samples own;
  own.add(us);
  const auto workers = static_cast<std::size_t>(cluster_.worker_count());
  const std::size_t bytes_max = std::min(kSamplesBytesMax, kGatherBytes / workers);
  BatchTimes times;
  for (const std::string& bytes : cluster_.all_gather("bench-times", own.encode(bytes_max))) {
    times.workers.push_back(bytes.empty() ? Samples() : Samples::decode(bytes));
  }
  return times;
}

void ExchangeSession::operate(Workload workload) {
  pushes_ += pushes(workload) ? 1 : 0;
  switch (workload) {
    case Workload::kPush:
      client_.push(gradients_, push_);
      break;
    case Workload::kPull:
      client_.pull(values_);
      break;
    case Workload::kPushPull:
      client_.push_pull(gradients_, values_, push_);
      break;
    case Workload::kRowsPull:
      client_.pull_rows(row_values_);
      break;
    case Workload::kRowsPush:
      client_.push_rows(row_gradients_, push_);
      break;
  }
}

void ExchangeSession::spoil_values() {
  for (const std::span<float> part : value_memory_.parts()) {
    std::ranges::fill(part, std::numeric_limits<float>::quiet_NaN());
  }
}

void ExchangeSession::check_values(Workload workload) {
  // In asynchronous mode what a push-pull brings back lacks what the others have not pushed yet.
  if (pulls(workload)) check_pulled(options_.asynchronous && pushes(workload));
  cluster_.barrier("bench-pushed");
  if (workload == Workload::kPull || workload == Workload::kRowsPull) return;
  spoil_values();
  operate(is_rows(workload) ? Workload::kRowsPull : Workload::kPull);
  check_pulled(false);  // nobody pushes until the chief has everybody's times
}

void ExchangeSession::check_pulled(bool others_may_lag) const {
  if (is_rows(options_.workload)) {
    check_rows();
  } else {
    check_variables(others_may_lag);
  }
}

void ExchangeSession::check_variables(bool others_may_lag) const {
  const auto steps = static_cast<double>(pushes_);
  double all = 0;
  for (int rank = 0; rank < cluster_.worker_count(); ++rank) {
    all += step_share(rank, cluster_.worker_count(), options_.asynchronous);
  }
  const double own =
      step_share(cluster_.rank(), cluster_.worker_count(), options_.asynchronous) * steps;
  const double most = all * steps;
  for (std::size_t i = 0; i < values_.size(); ++i) {
    const std::span<const float> values = values_[i].values;
    for (std::size_t j = 0; j < values.size(); ++j) {
      const double gradient = gradient_value(i + j);
      const double expected = initial_value(i + j) - most * gradient;
      const double value = values[j];
      const bool right = others_may_lag
                             ? value >= expected && value <= expected + (most - own) * gradient
                             : value == expected;
      if (right) continue;
      report_wrong(
          cluster_,
          base::str_cat("element ", j, " of \"", values_[i].name, "\" after ", pushes_, " steps"),
          values[j], expected);
    }
  }
}

void ExchangeSession::check_rows() const {
  const auto width = static_cast<std::size_t>(options_.width);
  const std::span<const float> values = row_values_.front().values;
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    const double steps = shares_[i] * static_cast<double>(pushes_);
    for (std::size_t j = 0; j < width; ++j) {
      const double expected = -steps * gradient_value(row_element(keys_[i], j));
      if (values[i * width + j] == expected) continue;
      report_wrong(cluster_,
                   base::str_cat("element ", j, " of row ", keys_[i], " after ", pushes_, " steps"),
                   values[i * width + j], expected);
    }
  }
}

}  // namespace dtrain::inline v0::bench
