#include "ps/table.h"

#include <utility>

#include "base/strings.h"
#include "ps/optimizer_message.h"

namespace dtrain::inline v0::ps {
namespace {

constexpr std::size_t kVariablesMax = 1'000'000;
constexpr std::size_t kChunkElementsMin = 64;
constexpr std::size_t kChunkElementsMax = (64 << 20) / sizeof(float);
constexpr std::uint32_t kTasksMax = 65'536;

Consistency parse_consistency(pb::Consistency message) {
  if (message == pb::SYNCHRONOUS) return Synchronous{};
  if (message == pb::ASYNCHRONOUS) return Asynchronous{};
  throw Error(ErrorCode::kProtocol, "the declared consistency is unknown to this version");
}

void check_counts(const pb::Table& message) {
  if (message.variables_size() == 0) {
    throw Error(ErrorCode::kInvalidArgument, "no variable is declared", "Declare at least one");
  }
  if (static_cast<std::size_t>(message.variables_size()) > kVariablesMax) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat(message.variables_size(), " variables are declared; at most ",
                              kVariablesMax, " are served"));
  }
  if (message.workers() == 0 || message.workers() > kTasksMax || message.servers() == 0 ||
      message.servers() > kTasksMax) {
    throw Error(ErrorCode::kProtocol,
                base::str_cat("a table for ", message.workers(), " workers and ", message.servers(),
                              " servers"));
  }
  if (message.chunk_elements() < kChunkElementsMin ||
      message.chunk_elements() > kChunkElementsMax) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat("chunks of ", message.chunk_elements(), " elements; allowed are ",
                              kChunkElementsMin, " to ", kChunkElementsMax));
  }
}

std::string describe(const pb::Variable& variable) {
  const Shape shape(variable.shape().begin(), variable.shape().end());
  return base::str_cat("\"", variable.name(), "\" ", tensor::to_string(shape));
}

std::string describe(const pb::Optimizer& optimizer) {
  try {
    return to_string(optimizer_from(optimizer));
  } catch (const Error&) {
    return "unknown";
  }
}

std::string rules_bytes(const pb::Table& table) {
  pb::Table rules;
  *rules.mutable_groups() = table.groups();
  *rules.mutable_clipping() = table.clipping();
  return rules.SerializeAsString();
}

std::string describe_rules(const pb::Table& table) {
  const std::string text = to_string(rules_from(table));
  return text.empty() ? "none" : text;
}

std::string describe(pb::Consistency consistency) {
  return consistency == pb::SYNCHRONOUS ? "synchronous" : "asynchronous";
}

}  // namespace

pb::Table to_proto(const Table& table) {
  pb::Table message;
  for (const tensor::LayoutEntry& entry : table.layout.entries()) {
    pb::Variable& variable = *message.add_variables();
    variable.set_name(entry.name);
    for (const std::int64_t size : entry.shape) variable.add_shape(size);
  }
  write_optimizer(table.optimizer, *message.mutable_optimizer());
  write_rules(table.rules, message);
  message.set_consistency(table.synchronous() ? pb::SYNCHRONOUS : pb::ASYNCHRONOUS);
  message.set_workers(static_cast<std::uint32_t>(table.workers));
  message.set_servers(static_cast<std::uint32_t>(table.servers));
  message.set_chunk_elements(table.chunk_elements);
  return message;
}

base::Result<Table> from_proto(const pb::Table& message) try {
  check_counts(message);
  std::vector<Variable> variables;
  variables.reserve(static_cast<std::size_t>(message.variables_size()));
  for (const pb::Variable& variable : message.variables()) {
    variables.push_back({.name = variable.name(),
                         .shape = Shape(variable.shape().begin(), variable.shape().end())});
  }
  Table table{.layout = tensor::Layout::plan(variables),
              .optimizer = optimizer_from(message.optimizer()),
              .consistency = parse_consistency(message.consistency()),
              .workers = static_cast<int>(message.workers()),
              .servers = static_cast<int>(message.servers()),
              .chunk_elements = message.chunk_elements(),
              .rules = rules_from(message)};
  validate(table.optimizer);
  (void)compute::UpdatePlan(table.layout, table.optimizer, table.rules);  // throws what is wrong
  return table;
} catch (const Error& error) {
  return error;
}

std::string difference(const pb::Table& ours, const pb::Table& theirs) {
  for (int i = 0; i < std::min(ours.variables_size(), theirs.variables_size()); ++i) {
    const std::string first = describe(ours.variables(i));
    const std::string second = describe(theirs.variables(i));
    if (first != second) return base::str_cat("variable ", i, " is ", second, ", not ", first);
  }
  if (ours.variables_size() != theirs.variables_size()) {
    return base::str_cat(theirs.variables_size(), " variables, not ", ours.variables_size());
  }
  if (ours.optimizer().SerializeAsString() != theirs.optimizer().SerializeAsString()) {
    return base::str_cat("optimizer ", describe(theirs.optimizer()), ", not ",
                         describe(ours.optimizer()));
  }
  if (rules_bytes(ours) != rules_bytes(theirs)) {
    return base::str_cat("update rules ", describe_rules(theirs), ", not ", describe_rules(ours));
  }
  if (ours.consistency() != theirs.consistency()) {
    return base::str_cat("consistency ", describe(theirs.consistency()), ", not ",
                         describe(ours.consistency()));
  }
  if (ours.workers() != theirs.workers()) {
    return base::str_cat(theirs.workers(), " workers, not ", ours.workers());
  }
  if (ours.servers() != theirs.servers()) {
    return base::str_cat(theirs.servers(), " servers, not ", ours.servers());
  }
  if (ours.chunk_elements() != theirs.chunk_elements()) {
    return base::str_cat("chunks of ", theirs.chunk_elements(), " elements, not ",
                         ours.chunk_elements());
  }
  return {};
}

}  // namespace dtrain::inline v0::ps
