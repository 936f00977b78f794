#include "dtrain/parameter_client.h"

#include <algorithm>
#include <new>
#include <optional>
#include <utility>

#include "base/strings.h"
#include "ps/remote_table.h"
#include "ps/shared_arena.h"

namespace dtrain::inline v0 {
namespace {

/// Finds the variables of one call. Most calls name them in the order in which they were declared,
/// so the one behind the last is looked at first. Throws not_found.
class InOrder {
 public:
  explicit InOrder(const tensor::Layout& layout) : layout_(layout) {}

  const tensor::LayoutEntry& at(std::string_view name) {
    const auto& entries = layout_.entries();
    const bool expected = next_ < entries.size() && entries[next_].name == name;
    const tensor::LayoutEntry& entry = expected ? entries[next_] : layout_.at(name);
    next_ = static_cast<std::size_t>(&entry - entries.data()) + 1;
    return entry;
  }

 private:
  const tensor::Layout& layout_;
  std::size_t next_ = 0;
};

/// Puts named memory where it belongs in the arena, in ascending order.
template <typename Element, typename Named>
std::vector<ps::Mapped<Element>> map(const tensor::Layout& layout, const std::vector<Named>& parts,
                                     std::span<Element> Named::*memory) {
  std::vector<ps::Mapped<Element>> mapped;
  mapped.reserve(parts.size());
  InOrder variables(layout);
  for (const Named& part : parts) {
    const tensor::LayoutEntry& entry = variables.at(part.name);
    if ((part.*memory).size() != entry.count) {
      throw Error(
          ErrorCode::kInvalidArgument,
          base::str_cat("\"", part.name, "\" has the shape ", tensor::to_string(entry.shape), ", ",
                        entry.count, " elements, but was given ", (part.*memory).size()),
          "Give as many elements as the variable has");
    }
    mapped.push_back({{entry.offset, entry.count}, (part.*memory).data()});
  }
  std::ranges::sort(mapped, {}, [](const auto& part) { return part.range.begin; });
  for (std::size_t i = 1; i < mapped.size(); ++i) {
    if (mapped[i].range.begin == mapped[i - 1].range.begin) {
      throw Error(ErrorCode::kInvalidArgument, "a variable is named twice in one call",
                  "Name each variable once");
    }
  }
  return mapped;
}

/// Makes one of parts that are neighbours both in the arena and in memory: a chunk of one part is
/// sent from where it lies, one of several is gathered.
template <typename Element>
void join_neighbours(std::vector<ps::Mapped<Element>>& parts) {
  std::size_t kept = 0;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    ps::Mapped<Element>& last = parts[kept];
    if (parts[i].range.begin == last.range.end() && parts[i].data == last.data + last.range.count) {
      last.range.count += parts[i].range.count;
    } else {
      parts[++kept] = parts[i];
    }
  }
  parts.resize(std::min(parts.size(), kept + 1));
}

void require_something(std::size_t named) {
  if (named > 0) return;
  throw Error(ErrorCode::kInvalidArgument, "the call names no variable", "Name at least one");
}

/// Checks one part of a call about rows; the index of its table. `elements` is what the caller gave
/// beside the keys.
std::uint32_t check_rows(const ps::Table& table, std::string_view name,
                         std::span<const std::uint64_t> keys, std::size_t elements,
                         std::vector<bool>& named) {
  const std::uint32_t index = ps::row_table_index(table, name);
  const RowTable& rows = table.row_tables[index];
  if (named[index]) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat("the table \"", name, "\" is named twice in one call"),
                "Name each table once, with all keys");
  }
  named[index] = true;
  const auto width = static_cast<std::size_t>(rows.width);
  if (elements % width != 0 || elements / width != keys.size()) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat(keys.size(), " rows of \"", name, "\" of ", rows.width,
                              " elements were given ", elements),
                "Give as many elements as the rows have together");
  }
  ps::check_keys(rows, keys);
  return index;
}

std::vector<std::shared_ptr<const ps::RowBatch>> batch_rows(const ps::Table& table,
                                                            const std::vector<RowGradients>& rows) {
  std::vector<std::shared_ptr<const ps::RowBatch>> batches;
  std::vector<bool> named(table.row_tables.size());
  for (const RowGradients& part : rows) {
    const std::uint32_t of = check_rows(table, part.table, part.keys, part.gradients.size(), named);
    const auto width = static_cast<std::size_t>(table.row_tables[of].width);
    ps::RowIndex index = ps::index_rows(part.keys);
    std::vector<float> sums = ps::sum_duplicates(index, part.gradients, width);
    batches.push_back(std::make_shared<ps::RowBatch>(of, std::move(index.keys), std::move(sums)));
  }
  std::ranges::sort(batches, {}, [](const auto& batch) { return batch->table; });
  return batches;
}

}  // namespace

struct PendingOperation::Impl {
  std::optional<ps::PushTicket> push;
  base::Completion<std::uint64_t> done;
};

PendingOperation::PendingOperation(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
PendingOperation::PendingOperation(PendingOperation&&) noexcept = default;

PendingOperation& PendingOperation::operator=(PendingOperation&& other) noexcept {
  std::swap(impl_, other.impl_);
  return *this;
}

PendingOperation::~PendingOperation() {
  if (!impl_) return;
  impl_->done.wait_until(base::kForever);
  if (impl_->push) impl_->push->released.wait_until(base::kForever);
}

bool PendingOperation::done() const {
  return !impl_ || (impl_->done.done() && (!impl_->push || impl_->push->released.done()));
}

Version PendingOperation::wait() {
  if (!impl_) {
    throw Error(ErrorCode::kFailedPrecondition, "the operation has been waited for already",
                "Call wait() once");
  }
  const std::unique_ptr<Impl> impl = std::move(impl_);
  return impl->push ? ps::RemoteTable::wait(*impl->push) : impl->done.get();
}

struct TransferMemory::Impl {
  tensor::Arena arena;
};

TransferMemory::TransferMemory(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TransferMemory::TransferMemory(TransferMemory&&) noexcept = default;
TransferMemory& TransferMemory::operator=(TransferMemory&&) noexcept = default;
TransferMemory::~TransferMemory() = default;
std::span<float> TransferMemory::span() { return impl_->arena.span(); }
std::span<const float> TransferMemory::span() const { return std::as_const(impl_->arena).span(); }

class ParameterClient::Impl {
 public:
  Impl(Cluster& cluster, ParameterClientOptions options)
      : cluster_(cluster), options_(std::move(options)), table_(cluster) {}

  void declare(const std::vector<Variable>& variables, const std::vector<RowTable>& tables,
               const Optimizer& optimizer, const UpdateRules& rules) {
    validate(optimizer);
    const tensor::Layout layout = tensor::Layout::plan(variables);
    (void)compute::UpdatePlan(layout, optimizer, rules);  // throws what is wrong
    check_initial(variables, layout);
    std::vector<GradientType> gradient_types;
    for (const Variable& variable : variables) gradient_types.push_back(variable.gradient_type);
    table_.declare({.layout = layout,
                    .gradient_types = std::move(gradient_types),
                    .optimizer = optimizer,
                    .consistency = options_.consistency,
                    .chunk_elements = options_.chunk_bytes / sizeof(float),
                    .rules = rules,
                    .row_tables = tables});
    if (cluster_.rank() != 0) return;
    const std::vector<float> zeros(largest_uninitialized(variables, layout));
    std::vector<ps::Source> sources;
    for (std::size_t i = 0; i < variables.size(); ++i) {
      const tensor::LayoutEntry& entry = layout.entries()[i];
      const float* initial =
          variables[i].initial.empty() ? zeros.data() : variables[i].initial.data();
      sources.push_back({{entry.offset, entry.count}, initial});
    }
    ps::RemoteTable::wait(table_.push({.sources = std::move(sources), .assign = true}));
  }

  std::unique_ptr<TransferMemory::Impl> allocate(std::size_t count) {
    try {
      return std::make_unique<TransferMemory::Impl>(
          TransferMemory::Impl{ps::shared_arena(*cluster_.impl().endpoint(), count)});
    } catch (const std::bad_alloc&) {
      throw Error(ErrorCode::kResourceExhausted,
                  base::str_cat("there is no memory for ", count, " floats"));
    }
  }

  std::unique_ptr<PendingOperation::Impl> pull(const std::vector<NamedValues>& values) {
    require_something(values.size());
    auto pending = std::make_unique<PendingOperation::Impl>();
    auto targets = map(layout(), values, &NamedValues::values);
    join_neighbours(targets);
    pending->done = table_.pull(std::move(targets));
    return pending;
  }

  std::unique_ptr<PendingOperation::Impl> pull_rows(const std::vector<RowValues>& rows) {
    const ps::Table& table = table_.table();
    require_something(rows.size());
    std::vector<ps::RowTarget> targets;
    std::vector<bool> named(table.row_tables.size());
    for (const RowValues& part : rows) {
      const auto index = check_rows(table, part.table, part.keys, part.values.size(), named);
      targets.push_back(
          {index, std::make_shared<ps::RowIndex>(ps::index_rows(part.keys)), part.values.data()});
    }
    auto pending = std::make_unique<PendingOperation::Impl>();
    pending->done = table_.pull_rows(std::move(targets));
    return pending;
  }

  std::unique_ptr<PendingOperation::Impl> push(const std::vector<NamedGradient>& gradients,
                                               const std::vector<NamedValues>* values,
                                               const PushOptions& options) {
    require_something(gradients.size() + options.rows.size());
    ps::PushRequest request{.sources = map(layout(), gradients, &NamedGradient::gradient),
                            .weight = options.examples,
                            .rows = batch_rows(table_.table(), options.rows)};
    if (values) {
      request.targets = map(layout(), *values, &NamedValues::values);
      const bool same = std::ranges::equal(request.sources, request.targets, {}, &ps::Source::range,
                                           &ps::Target::range);
      if (!same) {
        throw Error(ErrorCode::kInvalidArgument,
                    "push_pull() names other variables in values than in gradients",
                    "Name the same variables in both, or push and pull one after the other");
      }
      join_neighbours(request.targets);
    }
    join_neighbours(request.sources);
    auto pending = std::make_unique<PendingOperation::Impl>();
    pending->push = table_.push(std::move(request));
    pending->done = pending->push->done;
    return pending;
  }

 private:
  const tensor::Layout& layout() const { return table_.table().layout; }

  static void check_initial(const std::vector<Variable>& variables, const tensor::Layout& layout) {
    for (std::size_t i = 0; i < variables.size(); ++i) {
      const std::size_t given = variables[i].initial.size();
      const std::size_t needed = layout.entries()[i].count;
      if (given == 0 || given == needed) continue;
      throw Error(ErrorCode::kInvalidArgument,
                  base::str_cat("variable \"", variables[i].name, "\" has ", needed,
                                " elements, but ", given, " first values"),
                  "Give all of them, or none for zeros");
    }
  }

  static std::size_t largest_uninitialized(const std::vector<Variable>& variables,
                                           const tensor::Layout& layout) {
    std::size_t largest = 0;
    for (std::size_t i = 0; i < variables.size(); ++i) {
      if (variables[i].initial.empty()) largest = std::max(largest, layout.entries()[i].count);
    }
    return largest;
  }

  Cluster& cluster_;
  const ParameterClientOptions options_;
  ps::RemoteTable table_;
};

ParameterClient::ParameterClient(Cluster& cluster, ParameterClientOptions options)
    : impl_(std::make_unique<Impl>(cluster, std::move(options))) {}
ParameterClient::~ParameterClient() = default;
ParameterClient::ParameterClient(ParameterClient&&) noexcept = default;
ParameterClient& ParameterClient::operator=(ParameterClient&&) noexcept = default;

void ParameterClient::declare(const std::vector<Variable>& variables, const Optimizer& optimizer,
                              const UpdateRules& rules) {
  impl_->declare(variables, {}, optimizer, rules);
}

void ParameterClient::declare(const std::vector<Variable>& variables,
                              const std::vector<RowTable>& tables, const Optimizer& optimizer,
                              const UpdateRules& rules) {
  impl_->declare(variables, tables, optimizer, rules);
}

Version ParameterClient::pull(NamedValues values) { return pull(std::vector{values}); }
Version ParameterClient::pull(const std::vector<NamedValues>& values) {
  return pull_async(values).wait();
}

Version ParameterClient::push(NamedGradient gradient, PushOptions options) {
  return push(std::vector{gradient}, std::move(options));
}
Version ParameterClient::push(const std::vector<NamedGradient>& gradients, PushOptions options) {
  return push_async(gradients, std::move(options)).wait();
}

Version ParameterClient::push_pull(const std::vector<NamedGradient>& gradients,
                                   const std::vector<NamedValues>& values, PushOptions options) {
  return push_pull_async(gradients, values, std::move(options)).wait();
}

Version ParameterClient::pull_rows(RowValues rows) { return pull_rows(std::vector{rows}); }
Version ParameterClient::pull_rows(const std::vector<RowValues>& rows) {
  return pull_rows_async(rows).wait();
}

Version ParameterClient::push_rows(RowGradients rows, PushOptions options) {
  return push_rows(std::vector{rows}, std::move(options));
}
Version ParameterClient::push_rows(const std::vector<RowGradients>& rows, PushOptions options) {
  return push_rows_async(rows, std::move(options)).wait();
}

TransferMemory ParameterClient::allocate(std::size_t count) {
  return TransferMemory(impl_->allocate(count));
}

PendingOperation ParameterClient::pull_async(const std::vector<NamedValues>& values) {
  return PendingOperation(impl_->pull(values));
}

PendingOperation ParameterClient::pull_rows_async(const std::vector<RowValues>& rows) {
  return PendingOperation(impl_->pull_rows(rows));
}

PendingOperation ParameterClient::push_async(const std::vector<NamedGradient>& gradients,
                                             PushOptions options) {
  return PendingOperation(impl_->push(gradients, nullptr, options));
}

PendingOperation ParameterClient::push_rows_async(const std::vector<RowGradients>& rows,
                                                  PushOptions options) {
  options.rows.insert(options.rows.end(), rows.begin(), rows.end());
  return PendingOperation(impl_->push({}, nullptr, options));
}

PendingOperation ParameterClient::push_pull_async(const std::vector<NamedGradient>& gradients,
                                                  const std::vector<NamedValues>& values,
                                                  PushOptions options) {
  return PendingOperation(impl_->push(gradients, &values, options));
}

}  // namespace dtrain::inline v0
