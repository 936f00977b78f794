#include "ps/sim_cluster.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "base/strings.h"

namespace dtrain::inline v0::ps {
namespace {

constexpr std::uint64_t kServerIncarnation = 1000;
constexpr std::uint64_t kWorkerIncarnation = 2000;

std::vector<GradientType> gradient_types(const std::vector<Variable>& variables) {
  std::vector<GradientType> types;
  for (const Variable& variable : variables) types.push_back(variable.gradient_type);
  return types;
}

}  // namespace

SimCluster::SimCluster(SimClusterOptions options)
    : options_(std::move(options)),
      table_{.layout = tensor::Layout::plan(options_.variables),
             .gradient_types = gradient_types(options_.variables),
             .optimizer = options_.optimizer,
             .consistency = options_.consistency,
             .workers = options_.workers,
             .servers = options_.servers,
             .chunk_elements = options_.chunk_elements,
             .rules = options_.rules,
             .row_tables = options_.row_tables},
      logger_([](LogLevel, std::string_view) {}),
      world_(options_.seed, options_.faults, logger_) {
  std::vector<ServerAddress> addresses;
  for (int i = 0; i < options_.servers; ++i) {
    const std::string name = base::str_cat("ps ", i);
    Host host;
    host.endpoint =
        world_.make_endpoint({.listen = server_address(i),
                              .incarnation = kServerIncarnation + static_cast<std::uint64_t>(i)});
    host.server = std::make_unique<Server>(*host.endpoint, name, logger_, options_.server);
    host.endpoint->set_handler(transport::Service::kPs, host.server.get());
    hosts_.push_back(std::move(host));
    addresses.push_back({base::str_cat(name, " at ", server_address(i)), server_address(i)});
  }
  for (int rank = 0; rank < options_.workers; ++rank) {
    Worker worker;
    worker.endpoint = world_.make_endpoint(
        {.incarnation = kWorkerIncarnation + static_cast<std::uint64_t>(rank)});
    worker.client = std::make_unique<Client>(*worker.endpoint, addresses, table_, rank, logger_,
                                             options_.client);
    worker.endpoint->set_handler(transport::Service::kPs, worker.client.get());
    worker.values.resize(count());
    worker.gradients.resize(count());
    workers_.push_back(std::move(worker));
  }
}

SimCluster::~SimCluster() {
  for (Worker& worker : workers_) {
    worker.client->fail(Error(ErrorCode::kAborted, "the test is over"));
    worker.endpoint->set_handler(transport::Service::kPs, nullptr);
  }
  for (Host& host : hosts_) host.endpoint->set_handler(transport::Service::kPs, nullptr);
}

std::string SimCluster::server_address(int index) const { return base::str_cat("sim://ps", index); }

base::Completion<base::Done> SimCluster::declare(int rank) {
  return on_io(rank, [&](Client& client) { return client.declare(); });
}

std::string SimCluster::declare_by_another(int process, const Table& table, int rank,
                                           std::uint64_t number) {
  transport::Endpoint& endpoint = *worker(process).endpoint;
  ClientOptions client = options_.client;
  client.number = number;
  std::vector<ServerAddress> servers;
  for (int i = 0; i < options_.servers; ++i) {
    servers.push_back({base::str_cat("ps ", i, " at ", server_address(i)), server_address(i)});
  }
  Client other(endpoint, std::move(servers), table, rank, logger_, client);
  endpoint.set_handler(transport::Service::kPs, nullptr);
  endpoint.set_handler(transport::Service::kPs, &other);
  const auto declared = other.declare();
  wait(declared);
  endpoint.set_handler(transport::Service::kPs, nullptr);
  return error_of(declared);
}

PushTicket SimCluster::assign(const std::vector<float>& values) {
  return on_io(0, [&](Client& client) {
    return client.push({.sources = {{{0, count()}, values.data()}}, .assign = true});
  });
}

void SimCluster::start(const std::vector<float>& values) {
  for (int rank = 0; rank < workers(); ++rank) wait(declare(rank));
  wait(assign(values));
}

PushTicket SimCluster::push(int rank, std::uint64_t weight, bool fused) {
  Worker& from = worker(rank);
  PushRequest request{.sources = {{{0, count()}, from.gradients.data()}}, .weight = weight};
  if (fused) request.targets = {{{0, count()}, from.values.data()}};
  return on_io(rank, [&](Client& client) { return client.push(std::move(request)); });
}

base::Completion<std::uint64_t> SimCluster::pull(int rank) {
  return on_io(rank, [&](Client& client) {
    return client.pull({{{0, count()}, worker(rank).values.data()}});
  });
}

base::Completion<std::uint64_t> SimCluster::pull_rows(int rank, std::uint32_t table,
                                                      const std::vector<std::uint64_t>& keys,
                                                      std::vector<float>& values) {
  const auto index = std::make_shared<RowIndex>(index_rows(keys));
  values.assign(keys.size() * static_cast<std::size_t>(table_.row_tables[table].width), -77.0F);
  return on_io(rank, [&](Client& client) {
    return client.pull_rows({{table, index, values.data()}});
  });
}

void SimCluster::wait(const PushTicket& ticket, base::Duration limit) {
  wait_for([&] { return ticket.done.done() && ticket.released.done(); }, limit);
}

void SimCluster::wait_for(const std::function<bool()>& done, base::Duration limit) {
  ASSERT_TRUE(world_.run_until(done, limit))
      << "still not done after " << base::seconds(limit) << " simulated seconds";
}

std::vector<float> SimCluster::server_values() const {
  std::vector<float> values(count());
  for (const Host& host : hosts_) {
    const Shard* shard = host.server->shard();
    const auto part = shard->snapshot().values->span();
    std::ranges::copy(part, values.begin() + static_cast<std::ptrdiff_t>(shard->slice().begin));
  }
  return values;
}

std::vector<float> SimCluster::server_rows(std::uint32_t table) const {
  std::vector<float> values;
  for (const Host& host : hosts_) {
    const RowShard& shard = host.server->row_shards()[table];
    const std::size_t end = values.size();
    values.resize(end + shard.slice().count * shard.width());
    shard.read(shard.slice(), std::span(values).subspan(end));
  }
  return values;
}

}  // namespace dtrain::inline v0::ps
