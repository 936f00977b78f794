#include "compute/update_plan.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <utility>

#include "base/strings.h"
#include "compute/describe.h"
#include "dtrain/error.h"

namespace dtrain::inline v0 {
namespace {

constexpr std::size_t kPatternsMax = 10'000;

std::string group_text(const ParameterGroup& group) {
  std::vector<std::string> rules;
  if (group.frozen) rules.emplace_back("frozen");
  if (group.statistics) rules.emplace_back("statistics");
  if (group.learning_rate_factor != 1.0F) {
    rules.push_back(base::str_cat("learning_rate_factor ", group.learning_rate_factor));
  }
  if (!group.weight_decay) rules.emplace_back("no weight decay");
  if (rules.empty()) rules.emplace_back("as the rest");
  return base::str_cat("{", base::join(group.variables), ": ", base::join(rules), "}");
}

void check(const Clipping& clipping) {
  using compute::Allowed;
  compute::check_value("Clipping::value", clipping.value, Allowed::kNotNegative);
  compute::check_value("Clipping::norm", clipping.norm, Allowed::kNotNegative);
  compute::check_value("Clipping::global_norm", clipping.global_norm, Allowed::kNotNegative);
  const int given = (clipping.value > 0.0F ? 1 : 0) + (clipping.norm > 0.0F ? 1 : 0) +
                    (clipping.global_norm > 0.0F ? 1 : 0);
  if (given > 1) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat("Clipping has value ", clipping.value, ", norm ", clipping.norm,
                              " and global_norm ", clipping.global_norm),
                "Give at most one of them");
  }
}

}  // namespace

void validate(const UpdateRules& rules) {
  check(rules.clipping);
  std::size_t patterns = 0;
  for (std::size_t i = 0; i < rules.groups.size(); ++i) {
    const ParameterGroup& group = rules.groups[i];
    compute::check_value(base::str_cat("groups[", i, "].learning_rate_factor"),
                         group.learning_rate_factor, compute::Allowed::kNotNegative);
    patterns += group.variables.size();
    if (group.statistics &&
        (group.frozen || !group.weight_decay || group.learning_rate_factor != 1.0F)) {
      throw Error(ErrorCode::kInvalidArgument,
                  base::str_cat("groups[", i,
                                "] has statistics with other exceptions: ", group_text(group)),
                  "Statistics are no optimizer's business: leave the other fields as they are");
    }
    if (group.variables.empty()) {
      throw Error(ErrorCode::kInvalidArgument, base::str_cat("groups[", i, "] names no variable"),
                  "Give names or patterns such as \"*/bias\"");
    }
  }
  if (patterns > kPatternsMax) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat("the parameter groups have ", patterns, " names and patterns"),
                base::str_cat("Give at most ", kPatternsMax));
  }
}

std::string to_string(const UpdateRules& rules) {
  std::vector<std::string> parts;
  const Clipping& clipping = rules.clipping;
  if (clipping.value > 0.0F) parts.push_back(base::str_cat("clipping value ", clipping.value));
  if (clipping.norm > 0.0F) parts.push_back(base::str_cat("clipping norm ", clipping.norm));
  if (clipping.global_norm > 0.0F) {
    parts.push_back(base::str_cat("clipping global_norm ", clipping.global_norm));
  }
  for (const ParameterGroup& group : rules.groups) parts.push_back(group_text(group));
  return base::join(parts);
}

namespace compute {
namespace {

std::string names_of(const tensor::Layout& layout) {
  std::vector<std::string> names;
  for (const tensor::LayoutEntry& entry : layout.entries()) names.push_back(entry.name);
  return base::join(names);
}

/// The group of each variable; null for those in none.
std::vector<const ParameterGroup*> groups_of(const tensor::Layout& layout,
                                             const std::vector<ParameterGroup>& groups) {
  const auto& entries = layout.entries();
  std::vector<const ParameterGroup*> chosen(entries.size(), nullptr);
  std::vector<const ParameterGroup*> ordered;
  for (const ParameterGroup& group : groups) ordered.push_back(&group);
  std::stable_partition(ordered.begin(), ordered.end(),
                        [](const ParameterGroup* group) { return group->statistics; });
  for (const ParameterGroup* next : ordered) {
    const ParameterGroup& group = *next;
    for (const std::string& pattern : group.variables) {
      bool found = false;
      bool passed_over = false;
      for (std::size_t i = 0; i < entries.size(); ++i) {
        if (!matches(pattern, entries[i].name)) continue;
        if (chosen[i] && chosen[i]->statistics && !group.statistics) {
          passed_over = true;
          continue;
        }
        found = true;
        if (chosen[i] && chosen[i] != &group) {
          throw Error(ErrorCode::kInvalidArgument,
                      base::str_cat("variable \"", entries[i].name, "\" is in two groups, ",
                                    group_text(*chosen[i]), " and ", group_text(group)),
                      "Name each variable in one group");
        }
        chosen[i] = &group;
      }
      if (found) continue;
      if (passed_over) {
        throw Error(ErrorCode::kInvalidArgument,
                    base::str_cat("\"", pattern,
                                  "\" of a parameter group names running averages "
                                  "alone, which no optimizer updates"),
                    "Leave it out: averages follow the batches whatever the groups say");
      }
      throw Error(ErrorCode::kInvalidArgument,
                  base::str_cat("\"", pattern, "\" of a parameter group matches no variable"),
                  base::str_cat("Variables are: ", names_of(layout)));
    }
  }
  return chosen;
}

bool alike(const UpdateRun& a, const UpdateRun& b) {
  if (a.frozen || b.frozen) return a.frozen == b.frozen;
  if (a.statistics || b.statistics) return a.statistics == b.statistics;
  return a.learning_rate_factor == b.learning_rate_factor && a.weight_decay == b.weight_decay;
}

}  // namespace

bool matches(std::string_view pattern, std::string_view name) {
  // On a mismatch the last star takes one character more.
  std::size_t at = 0, star = std::string_view::npos, star_name = 0;
  std::size_t i = 0;
  while (i < name.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      star_name = i;
    } else if (at < pattern.size() && pattern[at] == name[i]) {
      ++at;
      ++i;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      i = ++star_name;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', at) == std::string_view::npos;
}

UpdatePlan::UpdatePlan(Optimizer optimizer)
    : optimizer_(std::move(optimizer)),
      runs_{{.begin = 0, .end = std::numeric_limits<std::size_t>::max()}} {}

UpdatePlan::UpdatePlan(const tensor::Layout& layout, Optimizer optimizer, const UpdateRules& rules)
    : optimizer_(std::move(optimizer)), clipping_(rules.clipping) {
  validate(rules);
  const std::vector<const ParameterGroup*> groups = groups_of(layout, rules.groups);
  const auto& entries = layout.entries();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    UpdateRun run{.begin = entries[i].offset,
                  .end = i + 1 < entries.size() ? entries[i + 1].offset : layout.count(),
                  .variable = i};
    if (groups[i]) {
      run.learning_rate_factor = groups[i]->learning_rate_factor;
      run.weight_decay = groups[i]->weight_decay;
      run.frozen = groups[i]->frozen;
      run.statistics = groups[i]->statistics;
    }
    has_frozen_ = has_frozen_ || run.frozen;
    // Clipping by norm has a factor for each variable.
    const bool joins = clipping_.norm == 0.0F || run.frozen || run.statistics;
    if (!runs_.empty() && joins && alike(runs_.back(), run)) {
      runs_.back().end = run.end;
    } else {
      runs_.push_back(run);
    }
  }
  const auto rests = [](const UpdateRun& run) { return run.frozen || run.statistics; };
  if (has_frozen_ && std::ranges::all_of(runs_, rests)) {
    throw Error(ErrorCode::kInvalidArgument, "every variable is frozen", "Leave one to be trained");
  }
}

const UpdateRun& UpdatePlan::run_of(std::size_t element) const {
  return *std::ranges::upper_bound(runs_, element, {}, &UpdateRun::end);
}

std::vector<double> UpdatePlan::clip_factors(const tensor::Layout& layout, double scale,
                                             const AddSquares& add_squares) const {
  if (!clips_by_norm()) return {};
  const auto& entries = layout.entries();
  if (clipping_.global_norm > 0.0F) {
    SquareSum sum;
    for (const tensor::LayoutEntry& entry : entries) {
      if (is_clipped(entry.offset)) add_squares(entry.offset, entry.count, sum);
    }
    return {clip_factor(sum.value(), scale, clipping_.global_norm)};
  }
  std::vector<double> factors(entries.size(), 1.0);
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (!is_clipped(entries[i].offset)) continue;
    SquareSum sum;
    add_squares(entries[i].offset, entries[i].count, sum);
    factors[i] = clip_factor(sum.value(), scale, clipping_.norm);
  }
  return factors;
}

void UpdatePlan::for_each_part(std::size_t begin, const OptimizerUpdate& update,
                               std::span<const double> clip_factors,
                               const std::function<void(const OptimizerUpdate&)>& apply) const {
  const std::size_t end = begin + update.values.size();
  auto run = std::ranges::upper_bound(runs_, begin, {}, &UpdateRun::end);
  for (; run != runs_.end() && run->begin < end; ++run) {
    if (run->frozen) continue;
    const std::size_t first = std::max(begin, run->begin);
    const std::size_t count = std::min(end, run->end) - first;
    const std::size_t skip = first - begin;
    OptimizerUpdate part = update;
    part.learning_rate_factor = run->learning_rate_factor;
    part.weight_decay = run->weight_decay;
    part.subtracts = run->statistics;
    if (clipping_.value > 0.0F && !run->statistics) part.gradient_limit = clipping_.value;
    if (!clip_factors.empty() && !run->statistics) {
      const double factor = clip_factors[clipping_.global_norm > 0.0F ? 0 : run->variable];
      part.gradient_scale = static_cast<float>(static_cast<double>(update.gradient_scale) * factor);
    }
    part.values = update.values.subspan(skip, count);
    part.updated = update.updated.subspan(skip, count);
    part.gradients = update.gradients.subspan(skip, count);
    for (auto& slot : part.slots) {
      if (!slot.empty()) slot = slot.subspan(skip, count);
    }
    apply(part);
  }
}

}  // namespace compute
}  // namespace dtrain::inline v0
