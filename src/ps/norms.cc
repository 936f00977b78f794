#include "ps/norms.h"

#include <algorithm>

#include "base/strings.h"
#include "ps/protocol_error.h"

namespace dtrain::inline v0::ps {
namespace {

/// 2^62 elements' squares of 48 bits stay below it, and so many of those do not overflow.
constexpr std::uint64_t kHighMax = std::uint64_t{1} << 48;

}  // namespace

std::vector<NormKey> shared_norms(const Table& table, const compute::UpdatePlan& plan,
                                  Range slice) {
  if (!plan.clips_by_norm() || slice.count == 0 || slice.count == table.layout.count()) return {};
  if (plan.clipping().global_norm > 0.0F) return {kAllVariables};
  std::vector<NormKey> keys;
  const auto& entries = table.layout.entries();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const Range variable{entries[i].offset, entries[i].count};
    const std::size_t inside = intersect(variable, slice).count;
    const bool cut = inside > 0 && inside < variable.count;
    if (cut && plan.is_clipped(variable.begin)) keys.push_back(static_cast<NormKey>(i));
  }
  return keys;
}

NormCollector::NormCollector(const Table& table, const std::vector<Range>& slices) {
  const compute::UpdatePlan plan(table.layout, table.optimizer, table.rules);
  for (const Range slice : slices) {
    keys_.push_back(shared_norms(table, plan, slice));
    for (const NormKey key : keys_.back()) ++servers_of_[key];
  }
}

base::Result<std::vector<NormCollector::Answer>> NormCollector::take(std::size_t server,
                                                                     const pb::Norms& norms) {
  std::vector<Answer> answers;
  const auto newest = rounds_.empty() ? rounds_.end() : std::prev(rounds_.end());
  if (newest != rounds_.end() && norms.version() + 1 < newest->first) return answers;  // late
  const std::vector<NormKey>& keys = keys_[server];
  const bool same = std::ranges::equal(norms.sums(), keys, {},
                                       [](const pb::SquareSum& sum) { return sum.key(); });
  if (!same) return protocol_error("sums of squares of variables that are not shared");

  std::vector<compute::SquareSum> sums(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const base::Status status = add_sum(norms.sums(static_cast<int>(i)), sums[i]);
    if (status) return *status;
  }

  Round& round = rounds_[norms.version()];
  for (std::size_t i = 0; i < keys.size(); ++i) {
    Total& total = round.totals[keys[i]];
    if (!total.servers.insert(server).second) continue;  // asked again
    for (const compute::SquareSum::Term& term : sums[i].terms()) total.sum.add(term);
  }
  round.unanswered.insert(server);
  for (auto waiting = round.unanswered.begin(); waiting != round.unanswered.end();) {
    if (!complete(round, *waiting)) {
      ++waiting;
      continue;
    }
    Answer answer{.server = *waiting};
    for (const NormKey key : keys_[*waiting]) {
      answer.squares.push_back(round.totals[key].sum.value());
    }
    answers.push_back(std::move(answer));
    waiting = round.unanswered.erase(waiting);
  }
  // A server goes on to a step after all have been asked about the one before it, so nobody can
  // still ask about one further back.
  while (rounds_.size() > 2) rounds_.erase(rounds_.begin());
  return answers;
}

bool NormCollector::complete(const Round& round, std::size_t server) const {
  return std::ranges::all_of(keys_[server], [&](NormKey key) {
    const auto total = round.totals.find(key);
    return total != round.totals.end() && total->second.servers.size() == servers_of_.at(key);
  });
}

void write_sum(NormKey key, const compute::SquareSum& sum, pb::SquareSum& message) {
  message.set_key(key);
  for (const compute::SquareSum::Term& term : sum.terms()) {
    message.add_exponents(term.exponent);
    message.add_high(term.high);
    message.add_low(term.low);
  }
}

base::Status add_sum(const pb::SquareSum& message, compute::SquareSum& sum) {
  const int count = message.exponents_size();
  if (message.high_size() != count || message.low_size() != count) {
    return protocol_error("a sum of squares whose parts do not match");
  }
  std::uint32_t least = 0;
  for (int i = 0; i < count; ++i) {
    const std::uint32_t exponent = message.exponents(i);
    if (exponent < least || exponent >= compute::SquareSum::kExponents ||
        message.high(i) >= kHighMax) {
      return protocol_error("a sum of squares that floats cannot have");
    }
    sum.add(compute::SquareSum::Term{exponent, message.high(i), message.low(i)});
    least = exponent + 1;
  }
  return {};
}

}  // namespace dtrain::inline v0::ps
