#pragma once

#include <optional>
#include <set>

#include "cluster/participant.h"

namespace dtrain::inline v0::cluster {

/// The chief's side: admits members, watches them, decides who is lost, completes gathers and ends
/// the job. Confined to the endpoint's I/O thread.
class Coordinator final : public Participant {
 public:
  Coordinator(transport::Endpoint& endpoint, std::vector<Peer> peers, std::vector<Task> workers,
              Task self, observe::Logger logger, Timing timing);

  /// From now on the job goes on without so many lost workers (never without a server).
  void tolerate_worker_losses(int losses_max) { worker_losses_max_ = losses_max; }

  base::Completion<Gathered> gather(const std::string& name, std::string value) override;
  /// Without an error: once all workers have left, tells everybody that the job is done, and waits
  /// for them to go. With one: the job fails.
  void leave(const base::Status& error) override;

  void on_message(transport::Incoming incoming) override;
  base::TimePoint on_timer(base::TimePoint now) override;

 private:
  /// What the coordinator alone knows of a member; parallel to view().members.
  struct Contact {
    transport::LinkId link = transport::kNoLink;
    base::TimePoint last_heard{};
    base::TimePoint unreachable_since = base::kForever;
    std::uint64_t epoch_seen = 0;
  };
  struct Round {                        ///< One gather under way.
    std::map<int, std::string> values;  ///< By rank.
    std::map<int, transport::LinkId> links;
    std::optional<base::Completion<Gathered>> own;
    base::TimePoint started{};
  };
  using RoundKey = std::pair<std::string, std::uint64_t>;

  void on_hello(const transport::Incoming& incoming, const pb::Hello& hello);
  base::Status admit(std::size_t member, const transport::Incoming& incoming,
                     const pb::Hello& hello) const;
  void on_leave(const transport::Incoming& incoming, const pb::Leave& leave);
  void on_gather(const transport::Incoming& incoming, const pb::Gather& gather);

  void start_if_complete();
  /// A member that goes before the job has begun may come again, as another process.
  void forget(std::size_t member);
  void set_state(std::size_t member, MemberStatus::State state, std::string detail);
  void member_lost(std::size_t member, std::string detail,
                   ErrorCode code = ErrorCode::kUnavailable);
  /// The job fails, and everybody is told.
  void end_job(const Error& error);
  /// Whether the job ends with this member; it is marked as lost already.
  bool fatal(Task task) const;
  void watch(base::TimePoint now);
  void pulse(std::size_t member);
  void pulse_all();
  void reject(transport::LinkId link, const Error& error);
  void check_round(const RoundKey& key);
  void check_rounds();
  void send_result(transport::LinkId link, const RoundKey& key, const Gathered& values);
  std::vector<int> ranks_awaited(const Round& round) const;
  void end_if_possible(base::TimePoint now);

  std::vector<Contact> contacts_;
  std::size_t self_member_ = 0;
  int worker_losses_max_ = 0;
  bool leaving_ = false;
  base::TimePoint next_pulse_{};
  base::TimePoint end_by_ = base::kForever;
  std::map<RoundKey, Round> rounds_;
  /// The last result of each name, for workers whose answer was lost.
  std::map<std::string, std::pair<std::uint64_t, Gathered>> results_;
};

}  // namespace dtrain::inline v0::cluster
