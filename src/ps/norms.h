#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "compute/square_sum.h"
#include "ps/table.h"

// Norms of a step's gradients, which lie on several servers. A server that has the whole sum of a
// step sends its sums of squares to rank 0's client, which adds those of all servers and answers
// with the totals. Sums are exact, so that neither the cuts nor the order matter.
namespace dtrain::inline v0::ps {

/// Whose squares are added together: a variable's index in the layout, or kAllVariables.
using NormKey = std::uint32_t;
constexpr NormKey kAllVariables = 0xFFFFFFFF;

/// The norms that a server cannot know alone: with clipping by norm those of its cut variables
/// (the first and the last at most), by global norm that of everything. Ascending.
std::vector<NormKey> shared_norms(const Table& table, const compute::UpdatePlan& plan, Range slice);

/// One server's sums to all servers' totals. Confined to Client.
class NormCollector {
 public:
  /// A server whose norms are all known now, and their sums of squares in the order of its keys.
  struct Answer {
    std::size_t server = 0;
    std::vector<double> squares;
  };

  NormCollector(const Table& table, const std::vector<Range>& slices);

  /// Takes what a server sent; the answers that can be given now, for this server too when it asks
  /// again. A protocol error for sums that are not this server's.
  base::Result<std::vector<Answer>> take(std::size_t server, const pb::Norms& norms);

 private:
  struct Total {
    compute::SquareSum sum;
    std::set<std::size_t> servers;  ///< Whose sums are in it.
  };
  struct Round {
    std::map<NormKey, Total> totals;
    std::set<std::size_t> unanswered;
  };

  bool complete(const Round& round, std::size_t server) const;

  std::vector<std::vector<NormKey>> keys_;     ///< By server.
  std::map<NormKey, std::size_t> servers_of_;  ///< How many servers each key has.
  std::map<std::uint64_t, Round> rounds_;      ///< By version; the newest two.
};

/// A sum in a message and out of it.
void write_sum(NormKey key, const compute::SquareSum& sum, pb::SquareSum& message);
base::Status add_sum(const pb::SquareSum& message, compute::SquareSum& sum);

/// What a server has to do for the norms of one update. Confined to Server.
struct NormRound {
  std::uint64_t version = 0;    ///< Of the slice after the update.
  std::vector<NormKey> keys;    ///< Those asked for.
  pb::Reply request;            ///< What rank 0 is asked.
  std::vector<double> factors;  ///< As UpdatePlan::for_each_part takes them.
  float scale = 1.0F;           ///< The sum times this is the mean gradient.
  bool known = false;
  base::TimePoint ask_at{};  ///< When rank 0 is asked again.
  base::Duration ask_after{};
};

}  // namespace dtrain::inline v0::ps
