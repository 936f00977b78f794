// Client's other side: what servers answer.
#include <algorithm>
#include <cstring>
#include <utility>

#include "base/stream_copy.h"
#include "base/strings.h"
#include "ps/client.h"
#include "ps/operation.h"

namespace dtrain::inline v0::ps {
namespace {

/// Pulls of more than this are copied past the caches, which would not hold them.
constexpr std::size_t kStreamedBytes = 16 << 20;

void scatter(const std::vector<Target>& targets, Range chunk, std::span<const std::byte> bytes,
             bool streamed) {
  const auto copy = [&](float* to, const std::byte* from, std::size_t count) {
    if (streamed) {
      base::stream_copy(to, from, count);
    } else {
      std::memcpy(to, from, count);
    }
  };
  const auto [first, last] = overlapping(targets, chunk);
  for (auto target = first; target != last; ++target) {
    const Range part = intersect(target->range, chunk);
    copy(target->data + (part.begin - target->range.begin),
         bytes.data() + (part.begin - chunk.begin) * sizeof(float), part.count * sizeof(float));
  }
}

}  // namespace

void Client::on_message(transport::Incoming incoming) {
  ServerLink* server = server_of(incoming.link);
  if (!server || failed_) return;
  pb::Reply reply;
  if (!reply.ParseFromString(incoming.message.body)) {
    fail(Error(ErrorCode::kProtocol,
               base::str_cat(server->name, " sent a message that is no reply of dtrain"),
               "Run the same version of dtrain everywhere"));
    return;
  }
  server->last_heard = endpoint_.now();
  server->retry_after = options_.retry_min;
  server->retry_at = server->last_heard + server->retry_after;
  switch (reply.kind_case()) {
    case pb::Reply::kDeclared:
      on_declared(*server, reply.declared());
      break;
    case pb::Reply::kPosition:
      on_position(*server, reply.position());
      break;
    case pb::Reply::kValues:
      on_values(*server, reply.values(), incoming.message.payload);
      break;
    case pb::Reply::kNorms:
      on_norms(*server, reply.norms());
      break;
    case pb::Reply::kFailure:
      on_failure(*server, reply.failure());
      break;
    case pb::Reply::KIND_NOT_SET:
      break;
  }
  if (!failed_) resume(*server);
}

ServerLink* Client::server_of(transport::LinkId link) {
  const auto found = std::ranges::find(servers_, link, &ServerLink::link);
  return found == servers_.end() ? nullptr : &*found;
}

void Client::on_declared(ServerLink& server, const pb::Declared& declared) {
  if (server.declared) return;
  server.declared = true;
  server.version = declared.version();
  server.eager_bytes = declared.eager_bytes();
  if (std::ranges::all_of(servers_, &ServerLink::declared)) declaration_.set(base::Done{});
}

void Client::part_done(Operation& operation, std::uint64_t version) {
  const bool pushed = (!operation.sources.empty() || !operation.rows.empty()) && !operation.assign;
  if (pushed && operation.parts_left == 1) {
    if (table_.backup_workers() > 0) next_step_ = std::max(next_step_, steps_told_);
    steps_.store(std::max(operation.step + 1, next_step_), std::memory_order_relaxed);
  }
  operation.part_done(version);
}

void Client::on_position(ServerLink& server, const pb::Position& position) {
  steps_told_ = std::max(steps_told_, position.step());
  server.waiting_for.assign(position.waiting_for().begin(), position.waiting_for().end());
  if (server.pushes.empty() || !server.pushes.front().begun) return;
  ServerLink::Push& push = server.pushes.front();
  if (position.sequence() != push.sequence) return;
  if (position.applied()) {
    server.version = std::max(server.version, position.version());
    push_applied(server);
    return;
  }
  push.credit = std::max(push.credit, position.credit());
  if (position.resend()) push.sent = std::min(push.sent, position.next_chunk());
  send_chunks(server, push);
}

void Client::push_applied(ServerLink& server) {
  const ServerLink::Push push = std::move(server.pushes.front());
  server.pushes.pop_front();
  part_done(*push.operation, server.version);
  start(server);
}

void Client::on_values(ServerLink& server, const pb::Values& values,
                       const std::vector<transport::Frame>& payload) {
  if (server.pulls.empty() || server.pulls.front().id != values.id()) return;
  if (values.waiting()) {
    server.waiting_for.assign(values.waiting_for().begin(), values.waiting_for().end());
    return;
  }
  ServerLink::Pull& pull = server.pulls.front();
  server.version = std::max(server.version, values.version());
  steps_told_ = std::max(steps_told_, values.step());
  if (values.index() == 0 && values.version() > pull.version) {
    pull.received = 0;
    pull.version = values.version();
  }
  if (values.version() != pull.version) return;
  if (pull.chunk_count() == 0) {
    pull_received(server);
    return;
  }
  if (values.index() != pull.received) return;
  if (!store(pull, payload)) {
    fail(Error(ErrorCode::kProtocol, base::str_cat(server.name, " sent values of the wrong size")));
    return;
  }
  if (++pull.received == pull.chunk_count()) pull_received(server);
}

bool Client::store(const ServerLink::Pull& pull,
                   const std::vector<transport::Frame>& payload) const {
  if (payload.size() != 1) return false;
  const auto bytes = payload.front().bytes;
  if (pull.received < pull.chunks.size()) {
    const Range chunk = pull.chunks[pull.received];
    if (bytes.size() != chunk.count * sizeof(float)) return false;
    scatter(pull.operation->targets, chunk, bytes,
            pull.chunks.size() * table_.chunk_elements * sizeof(float) > kStreamedBytes);
    return true;
  }
  const RowChunks::Chunk chunk = pull.rows.at(pull.received - pull.chunks.size());
  if (bytes.size() != chunk.elements() * sizeof(float)) return false;
  scatter_rows(pull, chunk, bytes);
  return true;
}

void Client::pull_received(ServerLink& server) {
  const std::uint64_t id = server.pulls.front().id;
  if (!server.pushes.empty() && server.pushes.front().pull_id == id) {
    // The values of a fused push-pull, when they are whole, say that the push was applied, too.
    server.pulls.front().asked = true;
    push_applied(server);
  }
  const ServerLink::Pull pull = std::move(server.pulls.front());
  server.pulls.pop_front();
  part_done(*pull.operation, server.version);
  start(server);
}

void Client::on_failure(const ServerLink& server, const pb::Failure& failure) {
  fail(
      Error(base::error_code_of(failure.code()), base::str_cat(server.name, ": ", failure.text())));
}

}  // namespace dtrain::inline v0::ps
