#include "ps/client.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "base/strings.h"
#include "ps/operation.h"

namespace dtrain::inline v0::ps {
namespace {

/// Variables start on 64-byte boundaries; gaps below that are padding, and go along as zeros so
/// that neighbours make one run.
constexpr std::size_t kPaddingMax = 16;
constexpr std::size_t kBeginFramesMax = 8;
constexpr std::size_t kBeginBytesMax = 256 << 10;

template <typename Element>
std::vector<Range> runs_of(const std::vector<Mapped<Element>>& parts) {
  std::vector<Range> runs;
  for (const auto& part : parts) {
    if (!runs.empty() && part.range.begin - runs.back().end() < kPaddingMax) {
      runs.back().count = part.range.end() - runs.back().begin;
    } else {
      runs.push_back(part.range);
    }
  }
  return runs;
}

}  // namespace

Client::Client(transport::Endpoint& endpoint, std::vector<ServerAddress> servers, Table table,
               int rank, observe::Logger logger, ClientOptions options)
    : endpoint_(endpoint),
      table_(std::move(table)),
      declared_(to_proto(table_)),
      wire_format_(table_.wire_format()),
      rank_(rank),
      logger_(std::move(logger)),
      options_(options),
      norms_(table_, partition(table_.layout, table_.servers)),
      staging_(endpoint) {
  const std::vector<Range> slices = partition(table_.layout, table_.servers);
  servers_.resize(servers.size());
  for (std::size_t i = 0; i < servers.size(); ++i) {
    servers_[i].name = std::move(servers[i].name);
    servers_[i].address = std::move(servers[i].address);
    servers_[i].slice = slices[i];
  }
}

Client::~Client() {
  fail(Error(ErrorCode::kAborted, "the parameter client was closed before the operation was done"));
}

base::Completion<base::Done> Client::declare() {
  for (ServerLink& server : servers_) {
    base::Result<transport::LinkId> link = endpoint_.connect(server.address);
    if (!link.ok()) {
      fail(link.error());
      break;
    }
    server.link = link.value();
    send_declare(server);
    work_added(server);
  }
  return declaration_;
}

void Client::send_declare(ServerLink& server) {
  pb::Request request;
  pb::Declare& declare = *request.mutable_declare();
  *declare.mutable_table() = declared_;
  declare.set_rank(static_cast<std::uint32_t>(rank_));
  declare.set_server(static_cast<std::uint32_t>(&server - servers_.data()));
  declare.set_client(options_.number);
  send(server, request);
}

base::Status Client::admit(Operation& operation) {
  if (failed_) return failed_;
  for (const ServerLink& server : servers_) {
    if (!server.declared) {
      return Error(ErrorCode::kFailedPrecondition, "declare() has not finished", "Call it first");
    }
    if (server.pushes.size() + server.pulls.size() >= options_.operations_max) {
      return Error(ErrorCode::kResourceExhausted,
                   base::str_cat(options_.operations_max, " operations are under way"),
                   "Wait for earlier ones before starting more");
    }
  }
  operation.number = ++last_operation_;
  operation.started = endpoint_.now();
  return {};
}

PushTicket Client::push(PushRequest request, PushTicket ticket) {
  return start_push(std::move(request), Freeze::kNo, std::move(ticket));
}

PushTicket Client::start_push(PushRequest request, Freeze freeze, PushTicket ticket) {
  auto operation = std::make_shared<Operation>();
  operation->done = ticket.done;
  operation->lease = std::shared_ptr<const void>(
      this, [released = ticket.released, hold = std::move(request.hold)](const void*) {
        released.set(base::Done{});
      });
  if (const base::Status status = admit(*operation)) {
    ticket.done.set(*status);
    return ticket;
  }
  operation->sources = std::move(request.sources);
  operation->targets = std::move(request.targets);
  operation->weight = request.weight;
  operation->assign = request.assign;
  if (!request.assign && freeze == Freeze::kNo) operation->step = next_step_++;
  operation->slot = request.slot;
  operation->restored_step = request.step;
  operation->learning_rate = request.learning_rate;
  operation->freeze = freeze;
  operation->rows = std::move(request.rows);
  operation->ready_end = std::move(request.ready_end);
  const bool fused = !operation->targets.empty();
  operation->parts_left = static_cast<int>(servers_.size()) * (fused ? 2 : 1);
  const std::vector<Range> runs = runs_of(operation->sources);
  for (ServerLink& server : servers_) {
    ServerLink::Push push{
        .operation = operation, .sequence = ++server.sequence, .ranges = clip(runs, server.slice)};
    const std::vector<Range> chunks = cut_into_chunks(push.ranges, table_.chunk_elements);
    if (operation->assign || operation->weight > 0) {
      push.chunks = chunks;
      add_rows(push, server);
    }
    if (fused) {
      push.pull_id = ++last_pull_id_;
      server.pulls.push_back(
          {.operation = operation, .id = push.pull_id, .ranges = push.ranges, .chunks = chunks});
    }
    server.pushes.push_back(std::move(push));
    work_added(server);
    start(server);
  }
  return ticket;
}

void Client::resume() {
  for (ServerLink& server : servers_) resume(server);
}

void Client::resume(ServerLink& server) {
  if (!server.pushes.empty() && server.pushes.front().begun) {
    send_chunks(server, server.pushes.front());
  }
}

VersionCompletion Client::pull(std::vector<Target> targets, VersionCompletion done) {
  return start_pull(std::move(targets), 0, std::move(done));
}

VersionCompletion Client::start_pull(std::vector<Target> targets, std::uint32_t frozen,
                                     VersionCompletion done) {
  auto operation = std::make_shared<Operation>();
  operation->done = std::move(done);
  if (const base::Status status = admit(*operation)) {
    operation->done.set(*status);
    return operation->done;
  }
  operation->targets = std::move(targets);
  operation->parts_left = static_cast<int>(servers_.size());
  const std::vector<Range> runs = runs_of(operation->targets);
  for (ServerLink& server : servers_) {
    ServerLink::Pull pull{
        .operation = operation, .id = ++last_pull_id_, .ranges = clip(runs, server.slice)};
    pull.chunks = cut_into_chunks(pull.ranges, table_.chunk_elements);
    pull.frozen = frozen;
    server.pulls.push_back(std::move(pull));
    work_added(server);
    start(server);
  }
  return operation->done;
}

/// Sets off what is at the front and not under way yet.
void Client::start(ServerLink& server) {
  if (failed_) return;
  if (!server.pushes.empty() && !server.pushes.front().begun) begin(server, server.pushes.front());
  if (server.pulls.empty() || server.pulls.front().asked) return;
  // A pull behind pushes waits for them, so that it sees them; a fused one comes with its push.
  ServerLink::Pull& pull = server.pulls.front();
  const bool behind = std::ranges::any_of(server.pushes, [&](const ServerLink::Push& push) {
    return push.operation->number <= pull.operation->number;
  });
  if (!behind) ask(server, pull);
}

pb::Request Client::begin_request(const ServerLink::Push& push) const {
  pb::Request request;
  pb::Begin& message = *request.mutable_begin();
  message.set_sequence(push.sequence);
  message.set_kind(kind_of(*push.operation));
  if (push.operation->slot > 0) {
    message.mutable_restored()->set_slot(static_cast<std::uint32_t>(push.operation->slot));
  }
  if (push.operation->restored_step) {
    message.mutable_restored()->set_step(*push.operation->restored_step);
  }
  if (push.operation->learning_rate) {
    message.mutable_restored()->set_learning_rate(*push.operation->learning_rate);
  }
  message.set_weight(push.operation->weight);
  message.set_pull_id(push.pull_id);
  if (table_.backup_workers() > 0) message.set_step(push.operation->step);
  add_ranges(push.ranges, message);
  add_row_parts(push.rows, *message.mutable_rows());
  return request;
}

void Client::begin(ServerLink& server, ServerLink::Push& push) {
  push.begun = true;
  push.credit = count_eager(push.chunks, push.rows, server.eager_bytes);
  std::vector<transport::Frame> payload;
  // Small chunks go along. A large one ends the message, which is handed over only when all of it
  // has arrived: the server is to begin its work meanwhile.
  std::size_t bytes = 0;
  while (payload.size() < kBeginFramesMax && bytes < kBeginBytesMax && may_send(push)) {
    payload.push_back(chunk_frame(push, push.sent++));
    bytes += payload.back().bytes.size();
  }
  send(server, begin_request(push), std::move(payload));
  send_chunks(server, push);
}

bool Client::may_send(const ServerLink::Push& push) {
  if (push.sent >= std::min<std::size_t>(push.credit, push.chunk_count())) return false;
  const auto& ready_end = push.operation->ready_end;
  if (!ready_end) return true;
  // Rows come when everything is written.
  const std::size_t end = push.sent < push.chunks.size() ? push.chunks[push.sent].end()
                                                         : std::numeric_limits<std::size_t>::max();
  return end <= ready_end->load(std::memory_order_acquire);
}

void Client::send_chunks(ServerLink& server, ServerLink::Push& push) {
  pb::Request request;
  pb::Chunk& message = *request.mutable_chunk();
  message.set_sequence(push.sequence);
  while (may_send(push)) {
    message.set_index(push.sent);
    std::vector<transport::Frame> payload{chunk_frame(push, push.sent)};
    ++push.sent;
    send(server, request, std::move(payload));
  }
}

transport::Frame Client::chunk_frame(const ServerLink::Push& push, std::uint32_t index) {
  if (index >= push.chunks.size()) return row_frame(push, index - push.chunks.size());
  const Operation& operation = *push.operation;
  const Range chunk = push.chunks[index];
  const auto [first, last] = overlapping(operation.sources, chunk);
  const bool plain = wire_format_.plain() || operation.assign;
  if (last - first == 1 && intersect(first->range, chunk) == chunk) {
    const float* data = first->data + (chunk.begin - first->range.begin);
    if (!plain) return encoded(chunk, data);
    return {std::as_bytes(std::span(data, chunk.count)), operation.lease};
  }
  const auto staged = staging_.take(chunk.count * sizeof(float));
  const std::span<float> gathered = staged->span().first(chunk.count);
  std::size_t done = 0;
  for (auto source = first; source != last; ++source) {
    const Range part = intersect(source->range, chunk);
    const std::size_t begin = part.begin - chunk.begin;
    std::ranges::fill(gathered.subspan(done, begin - done), 0.0F);  // the padding between them
    std::memcpy(gathered.data() + begin, source->data + (part.begin - source->range.begin),
                part.count * sizeof(float));
    done = begin + part.count;
  }
  std::ranges::fill(gathered.subspan(done), 0.0F);
  if (!plain) return encoded(chunk, gathered.data());
  return {std::as_bytes(gathered), staged};
}

transport::Frame Client::encoded(Range chunk, const float* elements) {
  const auto staged = staging_.take(wire_format_.bytes(chunk));
  const auto bytes = std::as_writable_bytes(staged->span()).first(wire_format_.bytes(chunk));
  wire_format_.encode(chunk, elements, bytes.data());
  return {bytes, staged};
}

void Client::ask(ServerLink& server, ServerLink::Pull& pull) {
  if (!pull.asked) pull.version_min = server.version;
  pull.asked = true;
  if (pull.chunk_count() == 0) {
    pull_received(server);
    return;
  }
  pb::Request request;
  std::vector<transport::Frame> payload;
  pb::Pull& message = *request.mutable_pull();
  message.set_id(pull.id);
  message.set_version_min(pull.version_min);
  message.set_next_chunk(pull.received);
  message.set_version(pull.version);
  message.set_frozen(pull.frozen);
  add_ranges(pull.ranges, message);
  add_keys(pull, message, payload);
  send(server, request, std::move(payload));
}

void Client::send(ServerLink& server, const pb::Request& request,
                  std::vector<transport::Frame> payload) {
  const base::Status status = endpoint_.send(server.link, {.service = transport::Service::kPs,
                                                           .body = request.SerializeAsString(),
                                                           .payload = std::move(payload)});
  // What cannot be sent at all is an error, at the next timer: callers hold references to work.
  // What could not be queued counts as lost: the retry timer asks the server where it stands.
  const bool hopeless = status && (status->code() == ErrorCode::kInvalidArgument ||
                                   status->code() == ErrorCode::kFailedPrecondition);
  if (hopeless) unsendable_ = status;
}

}  // namespace dtrain::inline v0::ps
