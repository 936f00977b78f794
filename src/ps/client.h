#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/completion.h"
#include "observe/log.h"
#include "ps/norms.h"
#include "ps/rows.h"
#include "ps/staging.h"
#include "ps/table.h"
#include "transport/endpoint.h"

namespace dtrain::inline v0::ps {

/// A run of the arena and where its elements lie in the caller's memory.
template <typename Element>
struct Mapped {
  Range range;
  Element* data = nullptr;
};
using Source = Mapped<const float>;
using Target = Mapped<float>;

/// Gradients (or first values) on their way to the servers.
struct PushRequest {
  std::vector<Source> sources;  ///< Ascending, disjoint; lent until `released`.
  std::uint64_t weight = 1;     ///< Examples behind the gradients; 0: nothing but presence.
  bool assign = false;          ///< Values instead of gradients; rank 0 only.
  /// What is assigned: 0 values; 1, 2, ... the optimizer's slots.
  int slot = 0;
  /// With `assign`: the optimizer's step from now on.
  std::optional<std::uint64_t> step;
  /// With `assign`: the optimizer's learning rate from now on.
  std::optional<float> learning_rate = {};
  /// Where the values after this push go (a fused push-pull); empty: not wanted. The same ranges
  /// as `sources`.
  std::vector<Target> targets;
  /// Memory that sources lie in and that is not the caller's; let go of with the caller's.
  std::shared_ptr<const void> hold = {};
  /// Row gradients, part of the same update; tables ascend. In synchronous mode all workers name
  /// the same tables, with keys or without.
  std::vector<std::shared_ptr<const RowBatch>> rows;
  /// Elements of the arena before this are written already; whoever writes the others raises it,
  /// and calls Client::resume() at the end at the latest. Targets of elements behind it are not
  /// written either. Null: everything is written.
  std::shared_ptr<const std::atomic<std::size_t>> ready_end;
};

/// Whether servers keep a copy of their state for a checkpoint.
enum class Freeze { kNo, kFreeze, kThaw };

/// How an operation ends: with the lowest version among the servers, or an error.
using VersionCompletion = base::Completion<std::uint64_t>;

struct PushTicket {
  VersionCompletion done;
  /// The transport holds none of the caller's memory any more. Also set after an error.
  base::Completion<base::Done> released;
};

struct ClientOptions {
  base::Duration retry_min = std::chrono::seconds(1);  ///< Then twice as long each time, up to
  base::Duration retry_max = std::chrono::seconds(4);  ///< this, until the server is heard again.
  /// A server that is asked and says nothing for so long is given up.
  base::Duration silence_max = std::chrono::seconds(10);
  /// An operation that servers keep answering but do not finish (a worker is missing) ends here.
  base::Duration operation_max = std::chrono::seconds(600);
  std::uint64_t number = 1;         ///< Among the clients that this process has had.
  std::size_t operations_max = 64;  ///< Not finished at a time; one more is refused.
};

struct ServerAddress {
  std::string name;     ///< For messages: `ps 1 at 10.0.0.7:2222`.
  std::string address;  ///< As the endpoint's connect() takes it.
};

/// The run of one table's keys that a server has in a transfer: `first` of the sorted ones.
struct RowRun {
  std::size_t batch = 0;  ///< Index into the operation's rows.
  std::size_t first = 0;
};

/// One server as a client sees it. Confined to Client.
struct ServerLink {
  std::string name;
  std::string address;
  transport::LinkId link = transport::kNoLink;
  Range slice;
  std::size_t eager_bytes = 0;
  bool declared = false;
  std::uint64_t version = 0;   ///< The highest that an answer has shown.
  std::uint64_t sequence = 0;  ///< Of the last operation given a number.

  struct Push {
    std::shared_ptr<struct Operation> operation;
    std::uint64_t sequence = 0;
    std::vector<Range> ranges;
    std::vector<Range> chunks;
    RowChunks rows = {};                ///< Chunks behind `chunks`.
    std::vector<RowRun> row_runs = {};  ///< One per part of `rows`.
    std::uint64_t pull_id = 0;
    bool begun = false;
    std::uint32_t sent = 0;    ///< Chunks handed to the link.
    std::uint32_t credit = 0;  ///< Chunks that may be sent.

    std::size_t chunk_count() const { return chunks.size() + rows.count(); }
  };
  struct Pull {
    std::shared_ptr<struct Operation> operation;
    std::uint64_t id = 0;
    std::vector<Range> ranges;
    std::vector<Range> chunks;
    RowChunks rows = {};                ///< Instead of `chunks`.
    std::vector<RowRun> row_runs = {};  ///< One per part of `rows`.
    std::uint64_t version_min = 0;
    std::uint64_t version = 0;   ///< Of what has arrived.
    std::uint32_t received = 0;  ///< Chunks that have arrived.
    std::uint32_t frozen = 0;    ///< As in the request.
    bool asked = false;          ///< False: its push will bring it, or it waits in line.

    std::size_t chunk_count() const { return chunks.size() + rows.count(); }
  };
  std::deque<Push> pushes;  ///< The front is under way.
  std::deque<Pull> pulls;   ///< The front is under way, unless its push is not.

  base::TimePoint last_heard{};
  base::TimePoint busy_since{};  ///< When it last went from idle to having work.
  base::TimePoint retry_at = base::kForever;
  base::Duration retry_after{};
  std::vector<std::uint32_t> waiting_for;  ///< Ranks that the server last said it waits for.

  bool idle() const { return declared && pushes.empty() && pulls.empty(); }
};

/// A worker's protocol towards all servers: numbers its operations, sends chunks as credits allow,
/// asks again when an answer is late, and gives up by name. The counterpart of Server, and like it
/// free of threads and sockets. Confined to the endpoint's I/O thread; the completions it hands
/// out may be awaited anywhere.
///
/// After the first error nothing works any more: every operation, finished or future, ends with
/// that error, and the links are closed so that lent memory comes back.
class Client final : public transport::Handler {
 public:
  Client(transport::Endpoint& endpoint, std::vector<ServerAddress> servers, Table table, int rank,
         observe::Logger logger, ClientOptions options = {});
  ~Client() override;

  /// Connects and declares the table everywhere. Call once, first.
  base::Completion<base::Done> declare();

  /// Sets the ticket that it returns, which may be one that the caller waits for already; so do
  /// the operations below.
  PushTicket push(PushRequest request, PushTicket ticket = {});
  /// Goes on with pushes whose ready_end has been raised. Messages from servers have that effect,
  /// too, so that nobody needs to wake the I/O thread for each piece.
  void resume();
  /// Values of at least the version that this client's pushes have reached. `targets` ascend, are
  /// disjoint and belong to the client until the operation is done.
  VersionCompletion pull(std::vector<Target> targets, VersionCompletion done = {});
  /// The same for rows; tables ascend. Up to kRowPullBytesMax of a server's rows are of one
  /// version; more are asked for in turn.
  VersionCompletion pull_rows(std::vector<RowTarget> targets, VersionCompletion done = {});
  /// The same of the state kept by freeze(), during which rows are not updated; parts as in
  /// pull_frozen.
  VersionCompletion pull_frozen_rows(std::vector<RowTarget> targets, int part,
                                     VersionCompletion done = {});

  /// Rank 0 only: lets every server keep a copy of its state as it is after this client's pushes
  /// (each of one version), or drop it. A second copy takes the first one's place.
  PushTicket freeze(Freeze freeze, PushTicket ticket = {});
  /// Of that copy: part 0 is the values, 1, 2, ... the optimizer's slots.
  VersionCompletion pull_frozen(std::vector<Target> targets, int part, VersionCompletion done = {});

  /// Ends everything with `error`.
  void fail(const Error& error);

  void on_message(transport::Incoming incoming) override;
  base::TimePoint on_timer(base::TimePoint now) override;

  const Table& table() const { return table_; }
  /// The step that the next push is for, as the last push that is done has found it: the number of
  /// this client's pushes, or more where its own came too late (backup workers). Any thread.
  std::uint64_t steps() const { return steps_.load(std::memory_order_relaxed); }

 private:
  PushTicket start_push(PushRequest request, Freeze freeze, PushTicket ticket);
  VersionCompletion start_pull(std::vector<Target> targets, std::uint32_t frozen,
                               VersionCompletion done);
  // client_rows.cc: what rows add.
  void add_rows(ServerLink::Push& push, const ServerLink& server) const;
  transport::Frame row_frame(const ServerLink::Push& push, std::uint64_t index);
  VersionCompletion start_row_pull(std::vector<RowTarget> targets, std::uint32_t frozen,
                                   VersionCompletion done);
  std::deque<ServerLink::Pull> plan_row_pulls(const std::shared_ptr<Operation>& operation,
                                              const ServerLink& server);
  static void add_keys(const ServerLink::Pull& pull, pb::Pull& message,
                       std::vector<transport::Frame>& payload);
  static void scatter_rows(const ServerLink::Pull& pull, const RowChunks::Chunk& chunk,
                           std::span<const std::byte> bytes);

  ServerLink* server_of(transport::LinkId link);
  /// Gives the operation its place in the order of all, or says why servers cannot take it.
  base::Status admit(Operation& operation);
  void on_declared(ServerLink& server, const pb::Declared& declared);
  void on_position(ServerLink& server, const pb::Position& position);
  void on_values(ServerLink& server, const pb::Values& values,
                 const std::vector<transport::Frame>& payload);
  void on_norms(ServerLink& server, const pb::Norms& norms);  // client_norms.cc
  void on_failure(const ServerLink& server, const pb::Failure& failure);

  void part_done(Operation& operation, std::uint64_t version);
  void start(ServerLink& server);
  static pb::Begin::Kind kind_of(const Operation& operation);
  /// What opens a push at its server; sent again, it asks where the server stands.
  pb::Request begin_request(const ServerLink::Push& push) const;
  void begin(ServerLink& server, ServerLink::Push& push);
  void send_chunks(ServerLink& server, ServerLink::Push& push);
  void resume(ServerLink& server);
  /// Whether the next chunk may be sent and is written.
  static bool may_send(const ServerLink::Push& push);
  void ask(ServerLink& server, ServerLink::Pull& pull);
  void push_applied(ServerLink& server);
  void pull_received(ServerLink& server);
  transport::Frame chunk_frame(const ServerLink::Push& push, std::uint32_t index);
  transport::Frame encoded(Range chunk, const float* elements);
  /// False: the payload has another size than the chunk.
  bool store(const ServerLink::Pull& pull, const std::vector<transport::Frame>& payload) const;
  void send_declare(ServerLink& server);
  void send(ServerLink& server, const pb::Request& request,
            std::vector<transport::Frame> payload = {});

  void work_added(ServerLink& server);
  void retry(ServerLink& server);
  base::Status check_deadlines(const ServerLink& server, base::TimePoint now) const;
  static base::TimePoint silent_since(const ServerLink& server);
  std::string describe_work(const ServerLink& server) const;

  transport::Endpoint& endpoint_;
  const Table table_;
  const pb::Table declared_;
  const WireFormat wire_format_;
  const int rank_;
  const observe::Logger logger_;
  const ClientOptions options_;
  std::vector<ServerLink> servers_;
  NormCollector norms_;  ///< Rank 0's.
  Staging staging_;      ///< For what is pushed and does not lie in one piece as it travels.
  base::Completion<base::Done> declaration_;
  std::uint64_t last_operation_ = 0;
  std::uint64_t last_pull_id_ = 0;
  std::uint64_t next_step_ = 0;   ///< Of the next push.
  std::uint64_t steps_told_ = 0;  ///< Steps that are over at some server.
  std::atomic<std::uint64_t> steps_ = 0;
  base::Status failed_;
  base::Status unsendable_;  ///< Becomes the failure when the timer runs next.
};

}  // namespace dtrain::inline v0::ps
