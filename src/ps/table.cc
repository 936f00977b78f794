#include "ps/table.h"

#include <unordered_set>
#include <utility>

#include "base/strings.h"
#include "ps/row_table_codec.h"

namespace dtrain::inline v0::ps {
namespace {

constexpr std::size_t kVariablesMax = 1'000'000;
constexpr std::size_t kChunkElementsMin = 64;
constexpr std::size_t kChunkElementsMax = (64 << 20) / sizeof(float);
constexpr std::uint32_t kTasksMax = 65'536;
constexpr int kRowTablesMax = 4096;

struct OptimizerWriter {
  pb::Optimizer& message;
  void operator()(const Sgd& sgd) const {
    auto& out = *message.mutable_sgd();
    out.set_learning_rate(sgd.learning_rate);
    out.set_momentum(sgd.momentum);
    out.set_nesterov(sgd.nesterov);
  }
  void operator()(const Adam& adam) const {
    auto& out = *message.mutable_adam();
    out.set_learning_rate(adam.learning_rate);
    out.set_beta_1(adam.beta_1);
    out.set_beta_2(adam.beta_2);
    out.set_epsilon(adam.epsilon);
  }
};

Optimizer parse_optimizer(const pb::Optimizer& message) {
  switch (message.kind_case()) {
    case pb::Optimizer::kSgd:
      return Sgd{.learning_rate = message.sgd().learning_rate(),
                 .momentum = message.sgd().momentum(),
                 .nesterov = message.sgd().nesterov()};
    case pb::Optimizer::kAdam:
      return Adam{.learning_rate = message.adam().learning_rate(),
                  .beta_1 = message.adam().beta_1(),
                  .beta_2 = message.adam().beta_2(),
                  .epsilon = message.adam().epsilon()};
    case pb::Optimizer::KIND_NOT_SET:
      break;
  }
  throw Error(ErrorCode::kProtocol, "the declared optimizer is unknown to this version");
}

Consistency parse_consistency(pb::Consistency message) {
  if (message == pb::SYNCHRONOUS) return Synchronous{};
  if (message == pb::ASYNCHRONOUS) return Asynchronous{};
  throw Error(ErrorCode::kProtocol, "the declared consistency is unknown to this version");
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
  return base::str_cat("\"", variable.name(), "\" ", tensor::to_string(shape));
}

std::string describe(const pb::Optimizer& optimizer) {
  try {
    return to_string(parse_optimizer(optimizer));
  } catch (const Error&) {
    return "unknown";
  }
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
  std::visit(OptimizerWriter{*message.mutable_optimizer()}, table.optimizer);
  message.set_consistency(table.synchronous() ? pb::SYNCHRONOUS : pb::ASYNCHRONOUS);
  message.set_workers(static_cast<std::uint32_t>(table.workers));
  message.set_servers(static_cast<std::uint32_t>(table.servers));
  message.set_chunk_elements(table.chunk_elements);
  for (const RowTable& row_table : table.row_tables) encode(row_table, *message.add_row_tables());
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
              .optimizer = parse_optimizer(message.optimizer()),
              .consistency = parse_consistency(message.consistency()),
              .workers = static_cast<int>(message.workers()),
              .servers = static_cast<int>(message.servers()),
              .chunk_elements = message.chunk_elements(),
              .row_tables = parse_row_tables(message)};
  validate(table.optimizer);
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
