// Requests in, replies out. server.cc decides whose turn it is, server_pulls.cc answers pulls.
#include <algorithm>
#include <cstring>
#include <utility>

#include "base/strings.h"
#include "ps/protocol_error.h"
#include "ps/server.h"
#include "ps/shared_arena.h"

namespace dtrain::inline v0::ps {
namespace {

constexpr std::size_t kRangesMax = 1 << 20;

/// Frames can start anywhere in a receive buffer; arithmetic wants floats on their boundary.
transport::Frame aligned(transport::Frame frame) {
  if (reinterpret_cast<std::uintptr_t>(frame.bytes.data()) % alignof(float) == 0) return frame;
  auto copy = std::make_shared<std::vector<float>>(frame.bytes.size() / sizeof(float));
  std::memcpy(copy->data(), frame.bytes.data(), frame.bytes.size());
  return {std::as_bytes(std::span(*copy)), copy};
}

}  // namespace

void Server::on_message(transport::Incoming incoming) {
  pb::Request request;
  if (!request.ParseFromString(incoming.message.body) ||
      request.kind_case() == pb::Request::KIND_NOT_SET) {
    logger_.warning(name_, ": a message that is no request of dtrain came from sender ",
                    incoming.sender, "; it is ignored from now on");
    endpoint_.refuse(incoming.sender);
    return;
  }
  if (request.has_declare()) {
    on_declare(incoming, request.declare());
    return;
  }
  Session* session = session_of(incoming.sender);
  if (!session) {
    fail(incoming.link,
         Error(ErrorCode::kFailedPrecondition,
               "it does not know this worker: the server was restarted and has lost its slice, or "
               "the worker was fenced off",
               "Restart the job"));
    return;
  }
  session->link = incoming.link;
  switch (request.kind_case()) {
    case pb::Request::kBegin:
      on_begin(*session, request.begin(), std::move(incoming.message.payload));
      break;
    case pb::Request::kChunk:
      on_chunk(*session, request.chunk(), std::move(incoming.message.payload));
      break;
    case pb::Request::kPull:
      on_pull(*session, request.pull(), std::move(incoming.message.payload));
      break;
    case pb::Request::kNormTotals:
      on_norm_totals(*session, request.norm_totals());
      break;
    default:
      break;
  }
}

void Server::on_declare(const transport::Incoming& incoming, const pb::Declare& declare) {
  if (const base::Status status = check_declare(declare, incoming.sender)) {
    logger_.warning(name_, " refuses a declaration of worker rank ", declare.rank(), ": ",
                    status->what());
    fail(incoming.link, *status);
    return;
  }
  Session& session = sessions_[incoming.sender];
  session.incarnation = incoming.sender;
  session.client = declare.client();
  session.rank = static_cast<int>(declare.rank());
  session.link = incoming.link;
  by_rank_[declare.rank()] = &session;
  find_slowest();
  pb::Reply reply;
  reply.mutable_declared()->set_version(shard_->version());
  reply.mutable_declared()->set_eager_bytes(eager_bytes_per_worker());
  send(session.link, reply);
}

base::Status Server::check_declare(const pb::Declare& declare, std::uint64_t sender) {
  if (!table_) {
    base::Result<Table> table = from_proto(declare.table());
    if (!table.ok()) return table.error();
    if (declare.server() >= declare.table().servers()) {
      return protocol_error("a declaration for a server that its own table does not have");
    }
    const Range slice = partition(table.value().layout, table.value().servers)[declare.server()];
    index_ = static_cast<int>(declare.server());
    try {
      shard_ = std::make_unique<Shard>(
          slice,
          compute::UpdatePlan(table.value().layout, table.value().optimizer, table.value().rules),
          [this](std::size_t count) { return shared_arena(endpoint_, count); });
      make_row_shards(table.value());
    } catch (const std::bad_alloc&) {
      shard_.reset();
      row_shards_.clear();
      return Error(
          ErrorCode::kResourceExhausted,
          base::str_cat(name_, " has no memory for its slice of ", slice.count,
                        " elements and its rows of ", table.value().row_tables.size(), " tables"),
          "Use more servers, or servers with more memory");
    }
    by_rank_.assign(static_cast<std::size_t>(table.value().workers), nullptr);
    table_ = std::move(table.value());
    wire_format_ = table_->wire_format();
    declared_ = declare.table();
  } else if (const std::string different = difference(declared_, declare.table());
             !different.empty()) {
    return Error(ErrorCode::kInvalidArgument,
                 base::str_cat("worker rank ", declare.rank(),
                               " declares something else than the workers before it: ", different),
                 "Every worker must build the same model with the same settings");
  }
  if (declare.rank() >= by_rank_.size()) {
    return protocol_error(
        base::str_cat("rank ", declare.rank(), " in a table for ", by_rank_.size(), " workers"));
  }
  const Session* own = session_of(sender);
  if (own && own->rank != static_cast<int>(declare.rank())) {
    return protocol_error(
        base::str_cat("worker rank ", own->rank, " declares as rank ", declare.rank(), " now"));
  }
  if (own && own->client != declare.client()) {
    return Error(
        ErrorCode::kFailedPrecondition,
        base::str_cat("worker rank ", declare.rank(), " has declared its variables before"),
        "The servers of a cluster hold one model: use one model or parameter client for "
        "the whole job");
  }
  if (!own && gone_ranks_.contains(static_cast<int>(declare.rank()))) {
    return Error(ErrorCode::kFailedPrecondition,
                 base::str_cat("worker rank ", declare.rank(), " has left the job"),
                 "A worker cannot come back into a running job: restart the job");
  }
  const Session* holder = by_rank_[declare.rank()];
  if (holder && holder->incarnation != sender) {
    return Error(ErrorCode::kFailedPrecondition,
                 base::str_cat("rank ", declare.rank(), " is taken by another process"),
                 "Two processes have the same task index, or a restarted worker came back before "
                 "the job gave up on the old one");
  }
  return {};
}

std::uint64_t Server::eager_bytes_per_worker() const {
  return options_.eager_bytes / by_rank_.size();
}

void Server::on_begin(Session& session, const pb::Begin& begin,
                      std::vector<transport::Frame> payload) {
  const bool known = begin.sequence() == session.sequence && session.sequence != 0;
  if (known) {
    send_position(session, true);
    return;
  }
  if (begin.sequence() < session.sequence) return;  // a late duplicate
  base::Status status;
  if (begin.sequence() != session.sequence + 1 || session.active()) {
    status = protocol_error(base::str_cat("operation #", begin.sequence(), " began while #",
                                          session.sequence, " is the last"));
  } else {
    status = open_operation(session, begin);
  }
  for (auto& frame : payload) {
    if (!status) status = take_chunk(session, std::move(frame));
  }
  if (status) {
    fail(session.link, *status);
    return;
  }
  const bool in_rank_order = table_->synchronous() && table_->backup_workers() == 0;
  if (!in_rank_order && session.kind == pb::Begin::PUSH) turns_.push_back(session.incarnation);
  advance();
  fail_steps_of_the_left();
}

base::Status Server::open_operation(Session& session, const pb::Begin& begin) {
  if (static_cast<std::size_t>(begin.ranges_size()) > kRangesMax) {
    return protocol_error("an operation of too many ranges");
  }
  auto ranges = parse_ranges(begin, shard_->slice());
  if (!ranges.ok()) return ranges.error();
  auto parts = parse_row_parts(begin.rows(), *table_, index_);
  if (!parts.ok()) return parts.error();
  RowChunks rows(std::move(parts.value()), *table_);
  if (begin.kind() != pb::Begin::PUSH && session.rank != 0) {
    return protocol_error("only rank 0 may assign and save values");
  }
  if (const base::Status status = check_restored(begin)) return status;
  if (const base::Status status = check_step(begin)) return status;
  if (table_->synchronous() && begin.kind() == pb::Begin::PUSH && begin.weight() > 0) {
    for (const Session* other : by_rank_) {
      if (other && other->pushing() && other->step == step_of(begin) && other->weight > 0 &&
          other->ranges != ranges.value()) {
        return Error(ErrorCode::kInvalidArgument,
                     base::str_cat("worker rank ", session.rank,
                                   " pushes other variables in this step than rank ", other->rank),
                     "In synchronous mode all workers push the same variables in each step");
      }
    }
  }
  if (const base::Status status = check_same_rows(begin, session.rank, rows)) return status;
  session.sequence = begin.sequence();
  session.complete = false;
  session.kind = begin.kind();
  session.ranges = std::move(ranges.value());
  session.weight = begin.weight();
  session.step = step_of(begin);
  const bool empty = session.kind == pb::Begin::PUSH && session.weight == 0;
  session.chunks = cut_into_chunks(session.ranges, table_->chunk_elements);
  session.rows = std::move(rows);
  if (empty) {
    session.chunks.clear();
    session.rows = {};
  }
  session.pull_id = begin.pull_id();
  session.slot = static_cast<int>(begin.restored().slot());
  session.restored_step.reset();
  if (begin.restored().has_step()) session.restored_step = begin.restored().step();
  session.learning_rate.reset();
  if (begin.restored().has_learning_rate()) {
    session.learning_rate = begin.restored().learning_rate();
  }
  session.received = session.applied = session.values_sent = 0;
  session.credit = count_eager(session.chunks, session.rows, eager_bytes_per_worker());
  session.stash.clear();
  return {};
}

void Server::on_chunk(Session& session, const pb::Chunk& chunk,
                      std::vector<transport::Frame> payload) {
  const bool current = session.active() && chunk.sequence() == session.sequence;
  if (chunk.sequence() > session.sequence) return;  // its Begin was lost and will come again
  if (!current || chunk.index() < session.received) {
    ++stats_.duplicate_chunks;
    return;
  }
  if (chunk.index() > session.received) {
    send_position(session, true);
    return;
  }
  base::Status status = payload.size() == 1
                            ? take_chunk(session, std::move(payload.front()))
                            : protocol_error("a chunk without exactly one payload frame");
  if (status) {
    fail(session.link, *status);
    return;
  }
  advance();
}

base::Status Server::take_chunk(Session& session, transport::Frame frame) {
  if (session.received >= session.chunk_count()) {
    return protocol_error(base::str_cat("operation #", session.sequence, " has only ",
                                        session.chunk_count(), " chunks"));
  }
  if (session.received >= session.credit) {
    return protocol_error(base::str_cat("chunk ", session.received, " of operation #",
                                        session.sequence, " was not asked for"));
  }
  if (session.received >= session.chunks.size()) {
    if (base::Status status = check_row_chunk(session, frame)) return status;
    session.stash.push_back(aligned(std::move(frame)));
    ++session.received;
    return {};
  }
  const std::size_t bytes = chunk_bytes(session, session.chunks[session.received]);
  if (frame.bytes.size() != bytes) {
    return protocol_error(base::str_cat("chunk ", session.received, " has ", frame.bytes.size(),
                                        " bytes instead of ", bytes));
  }
  session.stash.push_back(aligned(std::move(frame)));
  ++session.received;
  return {};
}

void Server::send_position(Session& session, bool resend) {
  pb::Reply reply;
  pb::Position& position = *reply.mutable_position();
  position.set_sequence(session.sequence);
  position.set_next_chunk(session.received);
  position.set_credit(session.credit);
  position.set_applied(session.complete);
  position.set_version(session.version);
  position.set_step(steps_);
  position.set_resend(resend && session.active());
  if (resend && session.active()) {
    for (const int rank : ranks_missing(session)) {
      position.add_waiting_for(static_cast<std::uint32_t>(rank));
    }
  }
  send(session.link, reply);
}

void Server::send(transport::LinkId link, const pb::Reply& reply,
                  std::vector<transport::Frame> payload) {
  // What cannot be sent now is asked for again: the client has the timers.
  (void)endpoint_.send(link, {.service = transport::Service::kPs,
                              .body = reply.SerializeAsString(),
                              .payload = std::move(payload)});
}

void Server::fail(transport::LinkId link, const Error& error) {
  pb::Reply reply;
  reply.mutable_failure()->set_code(static_cast<std::uint32_t>(error.code()));
  reply.mutable_failure()->set_text(base::without_code(error.what()));
  send(link, reply);
}

}  // namespace dtrain::inline v0::ps
