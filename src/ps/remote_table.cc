#include "ps/remote_table.h"

#include <algorithm>
#include <new>
#include <utility>

#include "base/strings.h"
#include "ps/clip.h"
#include "ps/row_table_codec.h"

namespace dtrain::inline v0::ps {

RemoteTable::RemoteTable(Cluster& cluster) : cluster_(cluster.impl()) {
  const ClusterSpec& spec = cluster_.spec();
  if (!spec.rank()) {
    throw Error(ErrorCode::kFailedPrecondition,
                base::str_cat(to_string(spec.self()), " cannot push and pull"),
                "Workers and the chief train; a ps serves");
  }
  if (spec.servers().empty()) {
    throw Error(
        ErrorCode::kFailedPrecondition,
        spec.is_local() ? "this process is alone: its cluster has no ps" : "the cluster has no ps",
        "Add a \"ps\" list to TF_CONFIG's cluster, start it with `dtrain launch --ps 1`, "
        "or use another strategy");
  }
}

RemoteTable::~RemoteTable() {
  if (!client_) return;
  try {
    cluster_.run_on_io(
        [&] { client_->fail(Error(ErrorCode::kAborted, "the parameter client was closed")); });
    cluster_.endpoint()->set_handler(transport::Service::kPs, nullptr);
  } catch (const std::exception& error) {
    cluster_.logger().warning("closing the parameter client: ", error.what());
  }
}

void RemoteTable::declare(Table table) {
  if (client_) {
    throw Error(ErrorCode::kFailedPrecondition, "the variables are declared already",
                "Declare all variables in one call");
  }
  for (const RowTable& rows : table.row_tables) validate(rows, table.chunk_elements);
  const ClusterSpec& spec = cluster_.spec();
  table.workers = static_cast<int>(spec.workers().size());
  table.servers = static_cast<int>(spec.servers().size());
  table.consistency = checked(table.consistency, table.workers);
  check_rules(table);
  cluster_.tolerate_worker_losses(table.synchronous() ? table.backup_workers() : table.workers);
  std::vector<ServerAddress> servers;
  for (const Task task : spec.servers()) {
    servers.push_back({base::str_cat(to_string(task), " at ", spec.address(task)),
                       cluster_.transport_address(task)});
  }
  auto client = std::make_shared<Client>(
      *cluster_.endpoint(), std::move(servers), std::move(table), *spec.rank(), cluster_.logger(),
      ClientOptions{.silence_max = cluster_.options().peer_timeout,
                    .operation_max = cluster_.options().operation_timeout,
                    .number = cluster_.next_number()});
  // Throws when another client is alive; only then is this one to be taken away again.
  cluster_.endpoint()->set_handler(transport::Service::kPs, client.get());
  client_ = std::move(client);
  plan_ = compute::UpdatePlan(client_->table().layout, client_->table().optimizer,
                              client_->table().rules);
  cluster_.on_failure([weak = std::weak_ptr(client_)](const Error& error) {
    if (const auto alive = weak.lock()) alive->fail(error);
  });
  base::Completion<base::Done> declared;
  cluster_.run_on_io([&] { declared = client_->declare(); });
  declared.get();
}

const Table& RemoteTable::table() const {
  if (!client_) {
    throw Error(ErrorCode::kFailedPrecondition, "no variables are declared",
                "Call declare() first");
  }
  return client_->table();
}

PushTicket RemoteTable::start(std::function<void(Client&, const PushTicket&)> operation) {
  PushTicket ticket;
  cluster_.post_on_io(
      [client = client_, operation = std::move(operation), ticket] { operation(*client, ticket); },
      [ticket](const Error& error) {
        ticket.done.set(error);
        ticket.released.set(base::Done{});
      });
  return ticket;
}

PushTicket RemoteTable::push(PushRequest request) {
  if (!table().synchronous() && !request.ready_end)
    clip_own_gradients(table().layout, plan_, request);
  return start([request = std::move(request)](Client& client, const PushTicket& ticket) mutable {
    client.push(std::move(request), ticket);
  });
}

void RemoteTable::resume() {
  cluster_.endpoint()->post([client = client_] { client->resume(); });
}

VersionCompletion RemoteTable::pull(std::vector<Target> targets) {
  (void)table();
  return start([targets = std::move(targets)](Client& client, const PushTicket& ticket) mutable {
           client.pull(std::move(targets), ticket.done);
         })
      .done;
}

PushTicket RemoteTable::freeze(Freeze freeze) {
  (void)table();
  return start(
      [freeze](Client& client, const PushTicket& ticket) { client.freeze(freeze, ticket); });
}

VersionCompletion RemoteTable::pull_frozen(std::vector<Target> targets, int part) {
  (void)table();
  return start([targets = std::move(targets), part](Client& client,
                                                    const PushTicket& ticket) mutable {
           client.pull_frozen(std::move(targets), part, ticket.done);
         })
      .done;
}

VersionCompletion RemoteTable::pull_rows(std::vector<RowTarget> targets) {
  (void)table();
  std::ranges::sort(targets, {}, &RowTarget::table);
  return start([targets = std::move(targets)](Client& client, const PushTicket& ticket) mutable {
           client.pull_rows(std::move(targets), ticket.done);
         })
      .done;
}

VersionCompletion RemoteTable::pull_frozen_rows(std::vector<RowTarget> targets, int part) {
  (void)table();
  std::ranges::sort(targets, {}, &RowTarget::table);
  return start([targets = std::move(targets), part](Client& client,
                                                    const PushTicket& ticket) mutable {
           client.pull_frozen_rows(std::move(targets), part, ticket.done);
         })
      .done;
}

std::uint64_t RemoteTable::wait(const PushTicket& ticket) {
  ticket.done.wait_until(base::kForever);
  ticket.released.wait_until(base::kForever);
  return ticket.done.get();
}

}  // namespace dtrain::inline v0::ps
