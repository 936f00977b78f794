#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "checkpoint/tensor_io.h"
#include "dtrain/cluster.h"
#include "dtrain/optimizer.h"
#include "dtrain/strategy.h"
#include "dtrain/update_rules.h"
#include "model/network.h"
#include "observe/log.h"
#include "tensor/arena.h"

namespace dtrain::inline v0::strategy {

/// What a strategy is to a training loop: how this worker's gradients become everybody's new
/// values. One per model. Calls are collective, in the same order on every worker. Confined to one
/// thread at a time.
class Exchange {
 public:
  virtual ~Exchange() = default;

  virtual int rank() const = 0;
  virtual int workers() const = 0;
  /// One update takes the gradients of all workers, and the batch size is theirs together.
  virtual bool synchronous() const = 0;
  /// All workers are at the same step when a step is done.
  virtual bool in_step() const = 0;
  /// All workers make the same number of steps in an epoch, those without examples left too.
  virtual bool even_steps() const = 0;

  /// Starts over with this optimizer and these rules; throws where they do not fit the network's
  /// variables. Rank 0's `values` become everyone's. The network is bound to
  /// arenas that the exchange knows; they stay until the exchange is gone.
  virtual void start(const Optimizer& optimizer, const UpdateRules& rules) = 0;
  /// The values belong to servers since start(), so that writing them here has no effect.
  virtual bool started_elsewhere() const = 0;
  /// Says before the network's train_step() of how many examples it will be: exchanges may begin
  /// while gradients are still being computed. step() follows.
  virtual void expect(std::uint64_t /*examples*/) {}
  /// One update with the network's gradients, the mean over `examples` examples (0: this worker
  /// has none, and its gradients do not count), after which the values are the newest. Returns how
  /// many steps of the job have passed: 1, or more where the gradients came too late to count and
  /// the other workers are further (backup workers).
  virtual std::uint64_t step(std::uint64_t examples) = 0;
  /// Makes the values the newest there are.
  virtual void refresh() = 0;
  /// Rank 0's values become everyone's, as in start(); the optimizer's state stays.
  virtual void share_values() = 0;
  /// What the optimizer's next update takes.
  virtual const LearningRate& learning_rate() const = 0;
  /// Replaces it, with the same rate on every worker. No step is made with the old one after it.
  virtual void set_learning_rate(float rate) = 0;
  /// Each worker's bytes by rank; empty for workers that were lost.
  virtual std::vector<std::string> all_gather(std::string_view name, std::string_view bytes) = 0;
  /// Rank 0 alone, between two steps. Streams all that start() and step() have made, values and
  /// optimizer state, into a checkpoint, in pieces: each part as it was at one version. Tables of
  /// rows belong to it too.
  virtual void save(checkpoint::Writer& writer) = 0;
  /// Rank 0 alone, while the others wait; they refresh() before they go on. Throws what
  /// check_arenas() does before anything is changed. The number of servers and workers may differ
  /// from what it was when the checkpoint was saved.
  virtual void restore(const checkpoint::Reader& reader) = 0;
  virtual const observe::Logger& logger() const = 0;
  /// Throws when the job has failed or this process is told to end.
  virtual void check() const = 0;
};

/// The arenas of a model: what the network computes with and exchanges move.
struct Arenas {
  /// `shared`: where servers on this host can read them in place.
  Arenas(std::size_t count, bool shared)
      : values(shared ? tensor::Arena::shared(count) : tensor::Arena(count)),
        gradients(shared ? tensor::Arena::shared(count) : tensor::Arena(count)) {}
  tensor::Arena values;
  tensor::Arena gradients;
};

/// Both borrow their arguments, which must outlive them.
std::unique_ptr<Exchange> make_local_exchange(model::Network& network, Arenas& arenas);
std::unique_ptr<Exchange> make_parameter_server_exchange(Cluster& cluster,
                                                         const ParameterServerOptions& options,
                                                         model::Network& network, Arenas& arenas);

}  // namespace dtrain::inline v0::strategy
