#pragma once

#include <cstdint>
#include <vector>

#include "loop_pair.h"
#include "ps/client.h"
#include "ps/server.h"

namespace dtrain::instructions {

/// What a job of one worker and one server trains.
struct JobOptions {
  std::vector<Variable> variables;
  std::vector<RowTable> tables = {};
  Optimizer optimizer = Sgd{};
};

/// A worker and a server, the real protocol on both sides, in one thread. Values start at 0.
class Job {
 public:
  explicit Job(const JobOptions& options);
  ~Job();

  /// Variables of `count` elements each; gradients travel as `type`.
  static std::vector<Variable> equal_variables(int variables, std::int64_t count,
                                               GradientType type = GradientType::kFloat32);

  /// Each variable on its own, as ParameterClient names them. To the end; false when it failed.
  bool push();
  bool pull();
  bool push_pull();
  /// Rows of the first table, from the caller's order as ParameterClient takes them.
  bool push_rows(const std::vector<std::uint64_t>& keys, const std::vector<float>& gradients);
  bool pull_rows(const std::vector<std::uint64_t>& keys, std::vector<float>& values);

  std::vector<float>& gradients() { return gradients_; }
  const std::vector<float>& values() const { return values_; }
  /// Updates that the server has applied.
  std::uint64_t version() const { return server_.shard()->version(); }

 private:
  ps::PushTicket start(ps::PushRequest request);
  std::vector<ps::Source> sources() const;
  std::vector<ps::Target> targets();

  const ps::Table table_;
  LoopPair pair_;
  ps::Server server_;
  ps::Client client_;
  std::vector<float> values_;
  std::vector<float> gradients_;
};

}  // namespace dtrain::instructions
