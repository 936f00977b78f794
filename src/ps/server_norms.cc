// Server's part in clipping by norms: what norms.h tells, from the server's side.
#include <algorithm>

#include "base/strings.h"
#include "ps/server.h"

namespace dtrain::inline v0::ps {
namespace {

constexpr base::Duration kAskAgainMin = std::chrono::milliseconds(500);
constexpr base::Duration kAskAgainMax = std::chrono::seconds(4);

}  // namespace

bool Server::norms_known() {
  if (!shard_->plan().clips_by_norm()) return true;
  if (!norms_) begin_norms();
  return !norms_ || norms_->known;
}

void Server::begin_norms() {
  const auto [weight_total, contributor] = weigh_step();
  if (!contributor) return;  // the step updates nothing

  norms_ = NormRound{.version = shard_->version() + 1,
                     .keys = shared_norms(*table_, shard_->plan(), shard_->slice()),
                     .scale = static_cast<float>(1.0 / weight_total)};
  pb::Norms& request = *norms_->request.mutable_norms();
  request.set_version(norms_->version);
  const auto& entries = table_->layout.entries();
  const std::vector<Range>& ranges = contributor->ranges;
  const auto add = [&](std::size_t begin, std::size_t count, compute::SquareSum& sum) {
    shard_->add_squares(intersect({begin, count}, shard_->slice()), ranges, sum);
  };
  // What this server knows alone is final; what others have a part in comes with their answer.
  const bool all_shared = !norms_->keys.empty() && norms_->keys.front() == kAllVariables;
  norms_->factors = all_shared ? std::vector<double>{1.0}
                               : shard_->plan().clip_factors(
                                     table_->layout, static_cast<double>(norms_->scale), add);
  for (const NormKey key : norms_->keys) {
    compute::SquareSum sum;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const bool wanted = key == kAllVariables || key == i;
      if (!wanted || !shard_->plan().is_clipped(entries[i].offset)) continue;
      add(entries[i].offset, entries[i].count, sum);
    }
    write_sum(key, sum, *request.add_sums());
  }
  norms_->known = norms_->keys.empty();
  norms_->ask_after = kAskAgainMin;
  if (!norms_->known) ask_norms();
}

void Server::ask_norms() {
  norms_->ask_at = endpoint_.now() + norms_->ask_after;
  norms_->ask_after = std::min(norms_->ask_after * 2, kAskAgainMax);
  if (by_rank_.front()) send(by_rank_.front()->link, norms_->request);
}

base::TimePoint Server::on_timer(base::TimePoint now) {
  if (!norms_ || norms_->known) return base::kForever;
  if (now >= norms_->ask_at) ask_norms();
  return norms_->ask_at;
}

void Server::on_norm_totals(const Session& session, const pb::NormTotals& totals) {
  if (session.rank != 0) {
    fail(session.link, Error(ErrorCode::kProtocol, "only rank 0 adds up norms"));
    return;
  }
  if (!norms_ || norms_->known || totals.version() != norms_->version) return;  // a duplicate
  const bool fits = static_cast<std::size_t>(totals.squares_size()) == norms_->keys.size() &&
                    std::ranges::none_of(totals.squares(), [](double s) { return s < 0.0; });
  if (!fits) {
    fail(session.link, Error(ErrorCode::kProtocol, "totals that do not fit the norms asked for"));
    return;
  }
  const Clipping& clipping = shard_->plan().clipping();
  for (std::size_t i = 0; i < norms_->keys.size(); ++i) {
    const NormKey key = norms_->keys[i];
    const bool all = key == kAllVariables;
    norms_->factors[all ? 0 : key] = compute::clip_factor(
        totals.squares(static_cast<int>(i)), static_cast<double>(norms_->scale),
        all ? clipping.global_norm : clipping.norm);
  }
  norms_->known = true;
  advance();
}

}  // namespace dtrain::inline v0::ps
