#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "observe/log.h"
#include "ps/norms.h"
#include "ps/row_shard.h"
#include "ps/rows.h"
#include "ps/shard.h"
#include "ps/staging.h"
#include "ps/table.h"
#include "transport/endpoint.h"

namespace dtrain::inline v0::ps {

struct ServerOptions {
  /// Bytes of pushes, over all workers together, that may arrive before their turn.
  std::size_t eager_bytes = 4 << 20;
  /// Chunks that a worker may have on the way while it is its turn.
  std::uint32_t window_chunks = 8;
};

/// What happened, for logs, tests and metrics.
struct ServerStats {
  std::uint64_t updates = 0;
  std::uint64_t contributions = 0;       ///< Whole pushes that are part of an update.
  std::uint64_t duplicate_chunks = 0;    ///< Arrived again and were dropped.
  std::uint64_t partial_pushes = 0;      ///< Asynchronous pushes cut short by the loss of a worker.
  std::uint64_t late_contributions = 0;  ///< Dropped: their step was over (backup workers).
  std::uint64_t empty_steps = 0;  ///< Steps without a contribution that counts (backup workers).
  /// The furthest that a worker was ahead of the slowest one when it was given values.
  std::uint64_t staleness_max = 0;
};

/// One worker as a server sees it: its stream of operations and its pull. Confined to Server.
struct Session {
  std::uint64_t incarnation = 0;
  std::uint64_t client = 0;  ///< Which of the process's clients declared.
  int rank = 0;
  bool left = false;  ///< The process has ended well: nothing more will come.
  transport::LinkId link = transport::kNoLink;  ///< Where its last message came from.

  /// The stream: operation `sequence` is the last that began; chunks arrive in order. Together
  /// with `received` this is the record that makes a push count once.
  std::uint64_t sequence = 0;
  bool complete = true;
  std::uint64_t version = 0;  ///< Of the slice when `sequence` became complete.
  std::uint64_t pushes = 0;   ///< Complete ones.

  pb::Begin::Kind kind = pb::Begin::PUSH;
  std::vector<Range> ranges;
  std::vector<Range> chunks;
  RowChunks rows;  ///< Chunks behind `chunks`.
  std::uint64_t weight = 0;
  std::uint64_t step = 0;  ///< Which step it is for (backup workers).
  std::uint64_t pull_id = 0;
  int slot = 0;                                ///< Of an ASSIGN: what it brings back.
  std::optional<std::uint64_t> restored_step;  ///< The same.
  std::optional<float> learning_rate;          ///< The same: what updates take from then on.
  std::uint32_t received = 0;                  ///< Chunks that have arrived.
  std::uint32_t applied = 0;           ///< Of those, chunks that are in the sum or the values.
  std::uint32_t values_sent = 0;       ///< Chunks of a fused push-pull that were final early.
  std::uint32_t credit = 0;            ///< Chunks that it has been told it may send.
  std::deque<transport::Frame> stash;  ///< Chunks received and not applied yet.

  struct ParkedPull {
    std::uint64_t id = 0;
    std::uint64_t version_min = 0;
    std::vector<Range> chunks;
    std::uint32_t next_chunk = 0;
    std::uint64_t version = 0;
    std::uint32_t frozen = 0;
    RowChunks rows = {};                      ///< Of a pull of rows, which has no `chunks`.
    std::vector<transport::Frame> keys = {};  ///< One frame per part of `rows`.
  };
  std::optional<ParkedPull> pull;  ///< Waits for its version.
  std::uint64_t pull_seen = 0;     ///< The highest id: ids rise.

  std::uint32_t chunk_count() const {
    return static_cast<std::uint32_t>(chunks.size() + rows.count());
  }
  bool active() const { return !complete; }
  bool pushing() const { return active() && kind == pb::Begin::PUSH; }
  bool whole() const { return received == chunk_count(); }
};

/// A parameter server's protocol: answers workers' requests on one slice, and decides whose chunk
/// is next. Knows nothing of threads, sockets or membership, so that it runs in a simulation.
/// Confined to the endpoint's I/O thread.
///
/// Every worker has one stream of numbered operations per server, each a run of chunks sent in
/// order. The server takes a chunk only in its place and only once; whatever arrives again is
/// answered from the session's record. Who may send when is told by credits:
///   - synchronous: chunk c is summed in rank order, so a worker's credit reaches as far as the
///     worker before it has been summed, and to its rows when that one is whole; the rest waits in
///     the worker's own memory. The last worker's chunks are summed and applied in one, and go back
///     as values while its next ones arrive;
///   - asynchronous: whole pushes take turns, in the order in which they began;
///   - with backup workers: those of a step that are whole, then in turns; what comes after the
///     step has what it needs is dropped.
/// A few bytes per worker (`eager_bytes`) may come ahead of their turn, so that small pushes need
/// one message.
class Server final : public transport::Handler {
 public:
  Server(transport::Endpoint& endpoint, std::string name, observe::Logger logger,
         ServerOptions options = {});

  void on_message(transport::Incoming incoming) override;
  base::TimePoint on_timer(base::TimePoint now) override;

  /// The worker is fenced off: its session ends, a push that it left unfinished never completes.
  void worker_lost(std::uint64_t incarnation, int rank);
  /// The worker has ended well. A synchronous step that still needs it can never be whole: those
  /// who wait for it get an error.
  void worker_left(std::uint64_t incarnation, int rank);

  const ServerStats& stats() const { return stats_; }
  /// Null before the first declaration.
  const Shard* shard() const { return shard_.get(); }
  /// Whether a copy for a checkpoint is kept.
  bool frozen() const { return frozen_.has_value(); }
  /// One for each row table.
  const std::vector<RowShard>& row_shards() const { return row_shards_; }

 private:
  // server_sessions.cc: requests in, replies out.
  void on_declare(const transport::Incoming& incoming, const pb::Declare& declare);
  base::Status check_declare(const pb::Declare& declare, std::uint64_t sender);
  void on_begin(Session& session, const pb::Begin& begin, std::vector<transport::Frame> payload);
  base::Status open_operation(Session& session, const pb::Begin& begin);
  void on_chunk(Session& session, const pb::Chunk& chunk, std::vector<transport::Frame> payload);
  base::Status take_chunk(Session& session, transport::Frame frame);
  void send_position(Session& session, bool resend);
  void send(transport::LinkId link, const pb::Reply& reply,
            std::vector<transport::Frame> payload = {});
  void fail(transport::LinkId link, const Error& error);
  std::uint64_t eager_bytes_per_worker() const;

  // server_state.cc: for checkpoints.
  base::Status check_restored(const pb::Begin& begin) const;
  base::Status check_frozen(std::uint32_t part) const;
  void apply_freeze(Session& session);
  /// Updates wait until a checkpoint has been read: rows are not copied for it.
  bool held() const { return frozen_ && !row_shards_.empty(); }

  // server_norms.cc: norms of gradients over all servers.
  /// Whether the step's sum may be applied; asks for the norms that it is clipped by.
  bool norms_known();
  void begin_norms();
  void ask_norms();
  void on_norm_totals(const Session& session, const pb::NormTotals& totals);

  // server_rows.cc: what rows add to an operation and a pull.
  /// Throws std::bad_alloc.
  void make_row_shards(const Table& table);
  base::Status check_same_rows(const pb::Begin& begin, int rank, const RowChunks& rows) const;
  base::Status check_row_chunk(const Session& session, const transport::Frame& frame);
  void sum_row_chunk(const Session& session, const transport::Frame& frame, float weight);
  void assign_row_chunk(const Session& session, const transport::Frame& frame);
  void apply_row_sums(const std::vector<RowPart>& parts, double weight_total);
  base::Status open_row_pull(const pb::Pull& pull, std::vector<transport::Frame> payload,
                             Session::ParkedPull& parked);
  void serve_rows(Session& session, const Session::ParkedPull& pull);
  /// What a chunk of the pull holds.
  void gather_rows(const Session::ParkedPull& pull, const RowChunks::Chunk& chunk,
                   std::span<float> out);

  // server.cc: whose turn it is.
  void advance();
  void apply_assignments();
  void apply_assignment(Session& session);
  void advance_asynchronous();
  void apply_next_chunk(Session& session);
  void grant(Session& session, std::uint32_t chunks_max);
  /// Of the first chunk in the session's stash.
  std::span<const float> next_elements(const Session& session);
  /// What a chunk of the session's operation takes in a message.
  std::size_t chunk_bytes(const Session& session, Range chunk) const;
  void complete(Session& session);
  void fail_steps_of_the_left();
  bool pull_ready(const Session& session) const;
  std::uint64_t staleness_of(const Session& session) const;
  void find_slowest();
  std::vector<int> ranks_missing(const Session& waiting) const;
  Session* session_of(std::uint64_t incarnation);

  // server_synchronous.cc: steps that all workers make together.
  void advance_synchronous();
  /// Whose contribution makes a step's sum whole; null while that cannot be told, and where the
  /// sum has to be known as a whole.
  Session* last_contributor();
  void sum_next_chunk(Session& session, bool first);
  /// The same for the last contributor: what is summed becomes values at once.
  void finish_next_chunk(Session& session, bool first);
  void finish_summed_chunks(const Session& last);
  void send_final_values(const Session& last, std::uint32_t chunks);
  /// Who is in a step whose sum is whole: their examples, and one of those that have some (null:
  /// nobody has).
  struct StepWeight {
    double total = 0;
    const Session* contributor = nullptr;
  };
  StepWeight weigh_step() const;
  void finish_step();

  // server_pulls.cc
  void on_pull(Session& session, const pb::Pull& pull, std::vector<transport::Frame> payload);
  void serve_pull(Session& session);
  transport::Frame values_frame(const Snapshot& snapshot, Range chunk) const;

  // server_backup.cc: synchronous steps that can do without some of the workers.
  /// Which step a push is for; 0 where steps are not told apart.
  std::uint64_t step_of(const pb::Begin& begin) const;
  base::Status check_step(const pb::Begin& begin) const;
  void advance_with_backup();
  Session* contributor_in_turn();
  bool sum_contribution(Session& session);
  bool nobody_else_contributes() const;
  bool has_contributed(const Session& session) const;
  void finish_step_with_backup();
  void drop_late_contributions();
  void restart_step();

  transport::Endpoint& endpoint_;
  const std::string name_;  ///< `ps 1`, for messages.
  const observe::Logger logger_;
  const ServerOptions options_;

  std::optional<Table> table_;
  pb::Table declared_;
  WireFormat wire_format_;
  std::vector<float> decoded_;  ///< A chunk that did not arrive as fp32.
  std::unique_ptr<Shard> shard_;
  std::vector<RowShard> row_shards_;
  std::vector<std::uint64_t> row_keys_;        ///< Of the chunk or pull that is being worked on.
  Staging staging_;                            ///< For rows that are pulled.
  int index_ = 0;                              ///< Among the servers, as the table counts them.
  bool initialized_ = false;                   ///< Rank 0 has assigned the first values.
  std::optional<Frozen> frozen_;               ///< For the checkpoint that rank 0 is taking.
  std::map<std::uint64_t, Session> sessions_;  ///< By incarnation.
  std::vector<Session*> by_rank_;
  std::set<int> gone_ranks_;  ///< Lost, or ended well.
  /// Incarnations with a push, first come first; not used where rank order decides.
  std::deque<std::uint64_t> turns_;
  /// Complete pushes of the slowest worker that is still there.
  std::uint64_t slowest_pushes_ = 0;

  std::uint64_t steps_ = 0;            ///< Synchronous steps that are over.
  std::uint32_t finished_chunks_ = 0;  ///< Of the step under way: their values are final.
  /// The step under way, with backup workers.
  struct OpenStep {
    std::vector<std::uint64_t> contributors;  ///< Incarnations whose push is in the sum.
    std::uint64_t summing = 0;                ///< Whose push is going into it.
    std::uint64_t counting = 0;               ///< Of them, those with examples.
    std::vector<Range> ranges;
    std::vector<RowPart> row_parts;
    double weight_total = 0;
  };
  OpenStep open_step_;
  std::optional<NormRound> norms_;  ///< Of the step whose sum is whole.
  ServerStats stats_;
};

}  // namespace dtrain::inline v0::ps
