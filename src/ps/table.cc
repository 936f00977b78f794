#include "ps/table.h"

#include <algorithm>
#include <limits>
#include <unordered_set>
#include <utility>

#include "base/strings.h"
#include "ps/optimizer_message.h"
#include "ps/row_table_codec.h"

namespace dtrain::inline v0::ps {
namespace {

constexpr std::size_t kVariablesMax = 1'000'000;
constexpr std::size_t kChunkElementsMin = 64;
constexpr std::size_t kChunkElementsMax = (64 << 20) / sizeof(float);
constexpr std::uint32_t kTasksMax = 65'536;
constexpr int kRowTablesMax = 4096;

struct ConsistencyWriter {
  pb::Table& message;
  void operator()(const Synchronous& synchronous) const {
    message.set_consistency(pb::SYNCHRONOUS);
    message.set_backup_workers(static_cast<std::uint32_t>(synchronous.backup_workers));
  }
  void operator()(const BoundedStaleness& bounded) const {
    message.set_consistency(pb::BOUNDED_STALENESS);
    message.set_staleness(static_cast<std::uint32_t>(bounded.staleness));
  }
  void operator()(const Asynchronous& /*asynchronous*/) const {
    message.set_consistency(pb::ASYNCHRONOUS);
  }
};

Consistency parse_consistency(const pb::Table& message) {
  const auto number = [](std::uint32_t value) {
    constexpr std::uint32_t kMax = std::numeric_limits<int>::max();
    return static_cast<int>(std::min(value, kMax));
  };
  const int workers = static_cast<int>(message.workers());
  switch (message.consistency()) {
    case pb::SYNCHRONOUS:
      return checked(Synchronous{.backup_workers = number(message.backup_workers())}, workers);
    case pb::BOUNDED_STALENESS:
      return checked(BoundedStaleness{.staleness = number(message.staleness())}, workers);
    case pb::ASYNCHRONOUS:
      return Asynchronous{};
    default:
      throw Error(ErrorCode::kProtocol, "the declared consistency is unknown to this version");
  }
}

pb::GradientType to_proto(GradientType type) {
  switch (type) {
    case GradientType::kFloat32:
      return pb::FLOAT32;
    case GradientType::kFloat16:
      return pb::FLOAT16;
    case GradientType::kBFloat16:
      return pb::BFLOAT16;
  }
  return pb::FLOAT32;
}

GradientType parse_gradient_type(const pb::Variable& variable) {
  switch (variable.gradient_type()) {
    case pb::FLOAT32:
      return GradientType::kFloat32;
    case pb::FLOAT16:
      return GradientType::kFloat16;
    case pb::BFLOAT16:
      return GradientType::kBFloat16;
    default:
      throw Error(ErrorCode::kProtocol, base::str_cat("the gradient type of \"", variable.name(),
                                                      "\" is unknown to this version"));
  }
}

std::string_view gradient_suffix(const pb::Variable& variable) {
  switch (variable.gradient_type()) {
    case pb::FLOAT16:
      return ", gradients in fp16";
    case pb::BFLOAT16:
      return ", gradients in bf16";
    default:
      return {};
  }
}

void check_counts(const pb::Table& message) {
  if (message.variables_size() == 0 && message.row_tables_size() == 0) {
    throw Error(ErrorCode::kInvalidArgument, "no variable is declared", "Declare at least one");
  }
  if (message.row_tables_size() > kRowTablesMax) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat(message.row_tables_size(), " row tables are declared; at most ",
                              kRowTablesMax, " are served"));
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

std::vector<RowTable> parse_row_tables(const pb::Table& message) {
  std::vector<RowTable> tables;
  std::unordered_set<std::string> names;
  for (const pb::Variable& variable : message.variables()) names.insert(variable.name());
  for (const pb::RowTable& row_table : message.row_tables()) {
    tables.push_back(decode(row_table));
    validate(tables.back(), message.chunk_elements());
    if (!row_table.name().empty() && names.insert(row_table.name()).second) continue;
    throw Error(
        ErrorCode::kInvalidArgument,
        base::str_cat("row table ", tables.size() - 1, " is named \"", row_table.name(), "\""),
        "Give every table and variable a name of its own");
  }
  return tables;
}

std::string describe(const pb::Variable& variable) {
  const Shape shape(variable.shape().begin(), variable.shape().end());
  return base::str_cat("\"", variable.name(), "\" ", tensor::to_string(shape),
                       gradient_suffix(variable));
}

std::string describe(const pb::Optimizer& optimizer) {
  try {
    return to_string(optimizer_from(optimizer));
  } catch (const Error&) {
    return "unknown";
  }
}

std::string describe_consistency(const pb::Table& table) {
  switch (table.consistency()) {
    case pb::SYNCHRONOUS:
      return table.backup_workers() == 0
                 ? "synchronous"
                 : base::str_cat("synchronous with backup_workers ", table.backup_workers());
    case pb::BOUNDED_STALENESS:
      return base::str_cat("bounded staleness ", table.staleness());
    default:
      return "asynchronous";
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

}  // namespace

std::uint64_t Table::staleness_max() const {
  const auto* bounded = std::get_if<BoundedStaleness>(&consistency);
  return bounded ? static_cast<std::uint64_t>(bounded->staleness)
                 : std::numeric_limits<std::uint64_t>::max();
}

int Table::backup_workers() const {
  const auto* synchronous = std::get_if<Synchronous>(&consistency);
  return synchronous ? synchronous->backup_workers : 0;
}

WireFormat Table::wire_format() const {
  return gradient_types.empty() ? WireFormat() : WireFormat(layout, gradient_types);
}

void check_rules(const Table& table) {
  for (const ParameterGroup& group : table.rules.groups) {
    for (const std::string& pattern : group.variables) {
      for (const RowTable& rows : table.row_tables) {
        if (!compute::matches(pattern, rows.name)) continue;
        throw Error(ErrorCode::kInvalidArgument,
                    base::str_cat("\"", pattern, "\" of a parameter group names the row table \"",
                                  rows.name, "\", which rules of groups do not reach on servers"),
                    "Name the variables beside it");
      }
    }
  }
  const Clipping& clipping = table.rules.clipping;
  if (clipping.norm <= 0.0F && clipping.global_norm <= 0.0F) return;
  if (!table.row_tables.empty()) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat("clipping by norm was asked for together with the row table \"",
                              table.row_tables.front().name, "\", whose gradients it does not see"),
                "Clip by value, or declare the table as a variable");
  }
  if (table.backup_workers() == 0) return;
  throw Error(ErrorCode::kInvalidArgument,
              "clipping by norm was asked for together with backup workers: servers may then sum "
              "different workers' contributions, and there is no norm of all of them",
              "Clip by value, or do without backup workers");
}

Consistency checked(const Consistency& consistency, int workers) {
  if (const auto* synchronous = std::get_if<Synchronous>(&consistency)) {
    if (synchronous->backup_workers < 0 || synchronous->backup_workers >= workers) {
      throw Error(ErrorCode::kInvalidArgument,
                  base::str_cat("Synchronous::backup_workers is ", synchronous->backup_workers,
                                " in a cluster of ", workers, " workers"),
                  base::str_cat("Give 0 to ", workers - 1));
    }
  }
  if (const auto* bounded = std::get_if<BoundedStaleness>(&consistency)) {
    if (bounded->staleness < 0) {
      throw Error(ErrorCode::kInvalidArgument,
                  base::str_cat("BoundedStaleness::staleness is ", bounded->staleness),
                  "Give 0 (the synchronous mode) or more");
    }
    if (bounded->staleness == 0) return Synchronous{};
  }
  return consistency;
}

pb::Table to_proto(const Table& table) {
  pb::Table message;
  for (const tensor::LayoutEntry& entry : table.layout.entries()) {
    pb::Variable& variable = *message.add_variables();
    variable.set_name(entry.name);
    for (const std::int64_t size : entry.shape) variable.add_shape(size);
    if (table.gradient_types.empty()) continue;
    const auto index = static_cast<std::size_t>(&entry - table.layout.entries().data());
    variable.set_gradient_type(to_proto(table.gradient_types[index]));
  }
  write_optimizer(table.optimizer, *message.mutable_optimizer());
  write_rules(table.rules, message);
  std::visit(ConsistencyWriter{message}, table.consistency);
  message.set_workers(static_cast<std::uint32_t>(table.workers));
  message.set_servers(static_cast<std::uint32_t>(table.servers));
  message.set_chunk_elements(table.chunk_elements);
  for (const RowTable& row_table : table.row_tables) encode(row_table, *message.add_row_tables());
  return message;
}

base::Result<Table> from_proto(const pb::Table& message) try {
  check_counts(message);
  std::vector<Variable> variables;
  std::vector<GradientType> gradient_types;
  variables.reserve(static_cast<std::size_t>(message.variables_size()));
  for (const pb::Variable& variable : message.variables()) {
    variables.push_back({.name = variable.name(),
                         .shape = Shape(variable.shape().begin(), variable.shape().end())});
    gradient_types.push_back(parse_gradient_type(variable));
  }
  Table table{.layout = tensor::Layout::plan(variables),
              .gradient_types = std::move(gradient_types),
              .optimizer = optimizer_from(message.optimizer()),
              .consistency = parse_consistency(message),
              .workers = static_cast<int>(message.workers()),
              .servers = static_cast<int>(message.servers()),
              .chunk_elements = message.chunk_elements(),
              .rules = rules_from(message),
              .row_tables = parse_row_tables(message)};
  validate(table.optimizer);
  (void)compute::UpdatePlan(table.layout, table.optimizer, table.rules);  // throws what is wrong
  check_rules(table);
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
  for (int i = 0; i < std::min(ours.row_tables_size(), theirs.row_tables_size()); ++i) {
    if (ours.row_tables(i).SerializeAsString() == theirs.row_tables(i).SerializeAsString())
      continue;
    return base::str_cat("row table ", i, " is ", describe(theirs.row_tables(i)), ", not ",
                         describe(ours.row_tables(i)), ", or has another initializer or seed");
  }
  if (ours.row_tables_size() != theirs.row_tables_size()) {
    return base::str_cat(theirs.row_tables_size(), " row tables, not ", ours.row_tables_size());
  }
  if (ours.optimizer().SerializeAsString() != theirs.optimizer().SerializeAsString()) {
    return base::str_cat("optimizer ", describe(theirs.optimizer()), ", not ",
                         describe(ours.optimizer()));
  }
  if (rules_bytes(ours) != rules_bytes(theirs)) {
    return base::str_cat("update rules ", describe_rules(theirs), ", not ", describe_rules(ours));
  }
  const std::string our_consistency = describe_consistency(ours);
  const std::string their_consistency = describe_consistency(theirs);
  if (our_consistency != their_consistency) {
    return base::str_cat("consistency ", their_consistency, ", not ", our_consistency);
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
