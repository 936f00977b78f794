#include "job.h"

#include <memory>
#include <string>
#include <utility>

#include "dtrain/error.h"
#include "ps/rows.h"

namespace dtrain::instructions {
namespace {

observe::Logger silent() {
  return observe::Logger([](LogLevel, std::string_view) {});
}

ps::Table table_of(const JobOptions& options) {
  std::vector<GradientType> types;
  for (const Variable& variable : options.variables) types.push_back(variable.gradient_type);
  ps::Table table;
  table.layout = tensor::Layout::plan(options.variables);
  table.gradient_types = std::move(types);
  table.optimizer = options.optimizer;
  table.consistency = Synchronous{};
  table.row_tables = options.tables;
  return table;
}

template <typename T>
bool succeeded(const base::Completion<T>& done) {
  if (!done.done()) return false;
  done.get();
  return true;
}

}  // namespace

Job::Job(const JobOptions& options)
    : table_(table_of(options)),
      server_(pair_.server(), "ps 0", silent()),
      client_(pair_.worker(), {{"ps 0", "loop"}}, table_, 0, silent()),
      values_(table_.layout.count()),
      gradients_(table_.layout.count()) {
  pair_.worker().set_handler(transport::Service::kPs, &client_);
  pair_.server().set_handler(transport::Service::kPs, &server_);
  const auto declared = client_.declare();
  pair_.settle();
  const auto assigned = start({.sources = sources(), .assign = true});
  if (!succeeded(declared) || !succeeded(assigned.done)) {
    throw Error(ErrorCode::kInternal, "the job of a worker and a server did not start", "");
  }
}

Job::~Job() {
  pair_.worker().set_handler(transport::Service::kPs, nullptr);
  pair_.server().set_handler(transport::Service::kPs, nullptr);
}

std::vector<Variable> Job::equal_variables(int variables, std::int64_t count, GradientType type) {
  std::vector<Variable> result;
  for (int i = 0; i < variables; ++i) {
    result.push_back(
        {.name = "variable_" + std::to_string(i), .shape = {count}, .gradient_type = type});
  }
  return result;
}

std::vector<ps::Source> Job::sources() const {
  std::vector<ps::Source> sources;
  for (const auto& entry : table_.layout.entries()) {
    sources.push_back({{entry.offset, entry.count}, gradients_.data() + entry.offset});
  }
  return sources;
}

std::vector<ps::Target> Job::targets() {
  std::vector<ps::Target> targets;
  for (const auto& entry : table_.layout.entries()) {
    targets.push_back({{entry.offset, entry.count}, values_.data() + entry.offset});
  }
  return targets;
}

ps::PushTicket Job::start(ps::PushRequest request) {
  const ps::PushTicket ticket = client_.push(std::move(request));
  client_.on_timer(pair_.worker().now());
  pair_.settle();
  return ticket;
}

bool Job::push() {
  const ps::PushTicket ticket = start({.sources = sources()});
  return succeeded(ticket.done) && succeeded(ticket.released);
}

bool Job::pull() {
  const auto done = client_.pull(targets());
  client_.on_timer(pair_.worker().now());
  pair_.settle();
  return succeeded(done);
}

bool Job::push_pull() {
  const ps::PushTicket ticket = start({.sources = sources(), .targets = targets()});
  return succeeded(ticket.done) && succeeded(ticket.released);
}

bool Job::push_rows(const std::vector<std::uint64_t>& keys, const std::vector<float>& gradients) {
  const ps::RowIndex index = ps::index_rows(keys);
  const auto width = static_cast<std::size_t>(table_.row_tables[0].width);
  auto batch = std::make_shared<ps::RowBatch>(std::uint32_t{0}, index.keys,
                                              ps::sum_duplicates(index, gradients, width));
  ps::PushRequest request;
  request.rows.push_back(std::move(batch));
  return succeeded(start(std::move(request)).done);
}

bool Job::pull_rows(const std::vector<std::uint64_t>& keys, std::vector<float>& values) {
  auto index = std::make_shared<ps::RowIndex>(ps::index_rows(keys));
  const auto done = client_.pull_rows({{0, std::move(index), values.data()}});
  client_.on_timer(pair_.worker().now());
  pair_.settle();
  return succeeded(done);
}

}  // namespace dtrain::instructions
