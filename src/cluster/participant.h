#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/completion.h"
#include "base/mutex.h"
#include "cluster/cluster.pb.h"
#include "dtrain/cluster.h"
#include "observe/log.h"
#include "transport/endpoint.h"

namespace dtrain::inline v0::cluster {

namespace pb = ::dtrain_pb::cluster;

/// Deadlines of the membership protocol, as ClusterOptions has them.
struct Timing {
  base::Duration heartbeat_interval = std::chrono::seconds(1);
  base::Duration peer_timeout = std::chrono::seconds(10);
  base::Duration reconnect_timeout = std::chrono::seconds(3);
  base::Duration operation_timeout = std::chrono::seconds(600);
};

/// A task and where it is, as the cluster spec says.
struct Peer {
  Task task;
  std::string address;  ///< `host:port`, for messages.

  std::string describe() const;  ///< `ps 1 at 10.0.0.7:2222`.
};

enum class Phase { kJoining, kRunning, kFinished, kFailed };

/// What a process knows of the membership at one moment.
struct View {
  struct Member {
    Peer peer;
    MemberStatus::State state = MemberStatus::State::kJoining;
    std::uint64_t incarnation = 0;
    std::string detail;
  };
  std::vector<Member> members;  ///< In the order of their tasks.
  std::uint64_t epoch = 0;      ///< Rises with every change once all have joined.
  Phase phase = Phase::kJoining;
  base::Status failure;  ///< Set in kFailed.
};

pb::Task to_proto(Task task);
/// Index in `members` of the task that a message names; -1 if there is none.
int find_member(const std::vector<View::Member>& members, const pb::Task& task);

/// Gathered values by rank; empty for workers that were lost.
using Gathered = std::vector<std::string>;

/// One process's side of the membership protocol; the chief's (Coordinator) and the others'
/// (Member) differ in who decides. Free of threads and sockets. Confined to the endpoint's I/O
/// thread except where a function says otherwise.
class Participant : public transport::Handler {
 public:
  Participant(transport::Endpoint& endpoint, std::vector<Peer> peers, std::vector<Task> workers,
              Task self, observe::Logger logger, Timing timing);

  /// A copy. Any thread.
  View view() const;
  /// Set when all have joined, or with the failure. Any thread.
  const base::Completion<base::Done>& joined() const { return joined_; }
  /// Set when the chief says that the job is done, or with the failure. Any thread.
  const base::Completion<base::Done>& finished() const { return finished_; }
  /// Set when this process's leaving is known to the chief (for the chief: to everybody), or has
  /// waited long enough. Any thread.
  const base::Completion<base::Done>& left() const { return left_; }

  /// Both run on the I/O thread; the first also at once if it has happened already, the second
  /// for each member that becomes kLost or kLeft.
  void on_failure(std::function<void(const Error&)> listener);
  void on_gone(std::function<void(const View::Member&)> listener);

  /// All living workers' values under one name and number; every worker counts alike.
  virtual base::Completion<Gathered> gather(const std::string& name, std::string value) = 0;
  /// This process ends, well or with an error.
  virtual void leave(const base::Status& error) = 0;

  /// Who is missing, from what this process knows: tasks that have not joined.
  std::vector<Peer> missing() const;

 protected:
  int rank_of(Task task) const;
  void publish(const std::function<void(View&)>& change);
  void fail(const Error& error);
  void gone(const View::Member& member);
  void send(transport::LinkId link, const pb::Message& message);
  base::Status send_status(transport::LinkId link, const pb::Message& message);

  transport::Endpoint& endpoint_;
  const std::vector<Task> workers_;  ///< By rank.
  const Task self_;
  const observe::Logger logger_;
  const Timing timing_;
  base::Completion<base::Done> joined_;
  base::Completion<base::Done> finished_;
  base::Completion<base::Done> left_;
  base::Status unsendable_;                             ///< Why a link will never take a message.
  std::map<std::string, std::uint64_t> gather_counts_;  ///< How often each name was used.

  /// Only the I/O thread writes; it may read without the lock.
  const View& view_on_io() const { return view_; }

 private:
  mutable base::Mutex mutex_;
  View view_;  // written under mutex_
  std::vector<std::function<void(const Error&)>> failure_listeners_;
  std::vector<std::function<void(const View::Member&)>> gone_listeners_;
};

}  // namespace dtrain::inline v0::cluster
