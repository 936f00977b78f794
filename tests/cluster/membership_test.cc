// Coordinator and Member against each other in a simulated world: who joins, who is lost, and what
// everybody learns of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <stdexcept>
#include <type_traits>

#include "base/strings.h"
#include "cluster/coordinator.h"
#include "cluster/member.h"
#include "support/seed.h"
#include "transport/sim_world.h"

namespace dtrain::inline v0::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr Task kChief{Role::kWorker, 0};

/// Worker 0 (the chief), more workers, and servers.
class Scene {
 public:
  explicit Scene(int worker_count, int server_count, const transport::SimFaults& faults = {},
                 std::uint64_t seed = 1)
      : world(seed, faults, quiet()) {
    for (int i = 0; i < worker_count; ++i) add(Role::kWorker, i);
    for (int i = 0; i < server_count; ++i) add(Role::kPs, i);
  }
  ~Scene() {
    for (auto& process : processes) process.endpoint->set_handler(transport::Service::kCluster, {});
  }

  static observe::Logger quiet() {
    return observe::Logger([](LogLevel, std::string_view) {});
  }

  void add(Role role, int index) {
    const Task task{role, index};
    peers.push_back({task, base::str_cat(to_string(task), ".host:1")});
    if (role == Role::kWorker) workers.push_back(task);
  }

  /// Starts a process; each has a new incarnation.
  Participant& start(Task task) {
    Process process;
    process.task = task;
    process.endpoint =
        world.make_endpoint({.listen = base::str_cat("sim://", role_name(task.role), task.index),
                             .incarnation = ++last_incarnation});
    if (task == kChief) {
      process.participant =
          std::make_unique<Coordinator>(*process.endpoint, peers, workers, task, quiet(), timing);
    } else {
      const auto link = process.endpoint->connect("sim://worker0").value();
      process.participant = std::make_unique<Member>(*process.endpoint, peers, workers, task,
                                                     peers.front(), link, quiet(), timing);
    }
    process.endpoint->set_handler(transport::Service::kCluster, process.participant.get());
    process.endpoint->post([] {});
    processes.push_back(std::move(process));
    return *processes.back().participant;
  }
  void start_all() {
    for (const Peer& peer : peers) start(peer.task);
    ASSERT_TRUE(world.run_until([&] { return all([](auto& p) { return p.joined().done(); }); },
                                minutes(1)));
  }

  Participant& at(Task task) { return *find(task).participant; }
  transport::Endpoint& endpoint(Task task) { return *find(task).endpoint; }
  /// Calls as the owner would, so that timers start.
  template <typename Call>
  auto on_io(Task task, const Call& call) {
    if constexpr (std::is_void_v<decltype(call(at(task)))>) {
      call(at(task));
      endpoint(task).post([] {});
    } else {
      auto result = call(at(task));
      endpoint(task).post([] {});
      return result;
    }
  }
  bool all(const std::function<bool(Participant&)>& holds) {
    return std::ranges::all_of(processes, [&](auto& p) { return holds(*p.participant); });
  }
  /// The failure that a process knows of, within `limit`; empty when there is none.
  std::string failure(Task task, base::Duration limit) {
    world.run_until([&] { return at(task).view().failure.has_value(); }, limit);
    const View view = at(task).view();
    return view.failure ? view.failure->what() : "";
  }

  struct Process {
    Task task;
    std::unique_ptr<transport::Endpoint> endpoint;
    std::unique_ptr<Participant> participant;
  };
  Process& find(Task task) {
    return *std::find_if(processes.rbegin(), processes.rend(),
                         [&](const Process& process) { return process.task == task; });
  }

  Timing timing;
  transport::SimWorld world;
  std::vector<Peer> peers;
  std::vector<Task> workers;
  std::vector<Process> processes;
  std::uint64_t last_incarnation = 0;
};

constexpr Task worker(int index) { return {Role::kWorker, index}; }
constexpr Task server(int index) { return {Role::kPs, index}; }

MemberStatus::State state_of(const View& view, Task task) {
  for (const View::Member& member : view.members) {
    if (member.peer.task == task) return member.state;
  }
  throw std::runtime_error("no such member");
}

TEST(Membership, EverybodyJoinsInAnyOrder) {
  Scene scene(3, 2);
  scene.start(server(1));
  scene.start(worker(2));
  scene.world.run_for(seconds(20));
  EXPECT_FALSE(scene.at(worker(2)).joined().done());
  scene.start(kChief);
  scene.start(worker(1));
  scene.world.run_for(seconds(5));
  EXPECT_FALSE(scene.at(kChief).joined().done());
  ASSERT_EQ(scene.at(kChief).missing().size(), 1U);
  EXPECT_EQ(scene.at(kChief).missing().front().describe(), "ps 0 at ps 0.host:1");
  // The others know from the chief who is missing.
  ASSERT_EQ(scene.at(worker(2)).missing().size(), 1U);
  EXPECT_EQ(scene.at(worker(2)).missing().front().task, server(0));
  scene.start(server(0));
  EXPECT_TRUE(scene.world.run_until(
      [&] { return scene.all([](auto& p) { return p.joined().done(); }); }, seconds(5)));
}

TEST(Membership, JoiningSurvivesARoughNetwork) {
  Scene scene(8, 4, {.delay_max = milliseconds(50), .drop = 0.1, .duplicate = 0.1, .cut = 0.02},
              support::seed());
  scene.start_all();
}

TEST(Membership, AProcessRestartedBeforeTheStartJoinsAgain) {
  Scene scene(2, 1);
  scene.start(kChief);
  scene.start(worker(1));
  scene.world.run_for(seconds(2));
  scene.world.kill(scene.endpoint(worker(1)));
  scene.start(worker(1));
  scene.start(server(0));
  EXPECT_TRUE(
      scene.world.run_until([&] { return scene.at(worker(1)).joined().done(); }, seconds(5)));
}

TEST(Membership, AProcessThatGivesUpOrDiesBeforeTheStartIsWaitedForAgain) {
  Scene scene(3, 1);
  scene.start(kChief);
  scene.start(worker(1));
  scene.start(worker(2));
  scene.world.run_for(seconds(2));
  scene.on_io(worker(1), [](Participant& p) {
    p.leave(Error(ErrorCode::kDeadlineExceeded, "has waited too long"));
  });
  scene.world.kill(scene.endpoint(worker(2)));
  scene.world.run_for(seconds(2));
  scene.world.kill(scene.endpoint(worker(1)));
  scene.world.run_for(seconds(10));
  scene.start(server(0));
  scene.world.run_for(seconds(5));
  EXPECT_FALSE(scene.at(kChief).joined().done()) << "two workers are missing";
  EXPECT_EQ(scene.at(kChief).missing().size(), 2U);
  scene.start(worker(1));
  scene.start(worker(2));
  for (const Task task : {kChief, worker(1), worker(2), server(0)}) {
    EXPECT_TRUE(scene.world.run_until([&] { return scene.at(task).joined().done(); }, seconds(5)))
        << to_string(task);
    EXPECT_FALSE(scene.at(task).view().failure.has_value());
  }
}

TEST(Membership, AGatherDoesNotWaitForAChiefThatHasLeft) {
  Scene scene(2, 1);
  scene.start_all();
  scene.on_io(kChief, [](Participant& p) { p.leave({}); });
  const auto late = scene.on_io(worker(1), [](Participant& p) { return p.gather("g", "x"); });
  ASSERT_TRUE(scene.world.run_until([&] { return late.done(); }, seconds(5)));
  EXPECT_EQ(late.get(), (Gathered{"", "x"}));
}

TEST(Membership, AKilledServerIsNamedEverywhereWithinTheDeadline) {
  Scene scene(3, 2);
  scene.start_all();
  scene.world.kill(scene.endpoint(server(1)));
  for (const Task task : {kChief, worker(1), worker(2), server(0)}) {
    const std::string failure = scene.failure(task, seconds(6));
    EXPECT_NE(failure.find("[UNAVAILABLE] ps 1 at ps 1.host:1 is lost: its connection broke"),
              std::string::npos)
        << failure;
  }
}

TEST(Membership, AStoppedWorkerIsNamedEverywhereWithinTheDeadline) {
  Scene scene(3, 1);
  scene.start_all();
  scene.world.pause(scene.endpoint(worker(2)));
  for (const Task task : {kChief, worker(1), server(0)}) {
    const std::string failure = scene.failure(task, seconds(13));
    EXPECT_NE(failure.find("worker 2 at worker 2.host:1 is lost: no heartbeat for 1"),
              std::string::npos)
        << failure;
  }
  // When it wakes up it learns that the job went on without it.
  scene.world.resume(scene.endpoint(worker(2)));
  EXPECT_NE(scene.failure(worker(2), seconds(15)), "");
}

TEST(Membership, ALostChiefIsNamedEverywhereWithinTheDeadline) {
  Scene scene(3, 2);
  scene.start_all();
  scene.world.kill(scene.endpoint(kChief));
  for (const Task task : {worker(1), worker(2), server(0), server(1)}) {
    const std::string failure = scene.failure(task, seconds(13));
    EXPECT_NE(failure.find("worker 0 at worker 0.host:1 (the chief) has been silent for 1"),
              std::string::npos)
        << failure;
  }
}

TEST(Membership, ATolerantJobGoesOnWithoutALostWorkerAndRaisesTheEpoch) {
  Scene scene(3, 1);
  scene.start_all();
  dynamic_cast<Coordinator&>(scene.at(kChief)).tolerate_worker_losses(3);
  std::vector<Task> lost;
  scene.at(server(0)).on_gone(
      [&](const View::Member& member) { lost.push_back(member.peer.task); });
  const std::uint64_t epoch = scene.at(server(0)).view().epoch;
  scene.world.kill(scene.endpoint(worker(1)));
  ASSERT_TRUE(scene.world.run_until([&] { return !lost.empty(); }, seconds(6)));
  EXPECT_EQ(lost, std::vector<Task>{worker(1)});
  EXPECT_GT(scene.at(server(0)).view().epoch, epoch);
  scene.world.run_for(seconds(30));
  EXPECT_EQ(state_of(scene.at(worker(2)).view(), worker(1)), MemberStatus::State::kLost);
  EXPECT_FALSE(scene.at(worker(2)).view().failure);
}

TEST(Membership, OneLossMoreThanAJobToleratesEndsIt) {
  Scene scene(4, 1);
  scene.start_all();
  dynamic_cast<Coordinator&>(scene.at(kChief)).tolerate_worker_losses(1);
  scene.world.kill(scene.endpoint(worker(1)));
  scene.world.run_for(seconds(30));
  EXPECT_FALSE(scene.at(worker(3)).view().failure);
  scene.world.kill(scene.endpoint(worker(2)));
  EXPECT_NE(scene.failure(worker(3), seconds(13)).find("worker 2"), std::string::npos);
}

TEST(Membership, ALostServerEndsATolerantJobToo) {
  Scene scene(2, 1);
  scene.start_all();
  dynamic_cast<Coordinator&>(scene.at(kChief)).tolerate_worker_losses(3);
  scene.world.kill(scene.endpoint(server(0)));
  EXPECT_NE(scene.failure(worker(1), seconds(6)).find("ps 0"), std::string::npos);
}

TEST(Membership, ARestartedWorkerIsRefusedAndTheJobSaysSo) {
  Scene scene(2, 1);
  scene.start_all();
  scene.world.kill(scene.endpoint(worker(1)));
  scene.start(worker(1));
  EXPECT_NE(scene.failure(kChief, seconds(3))
                .find("worker 1 at worker 1.host:1 is lost: it was "
                      "restarted"),
            std::string::npos);
  EXPECT_NE(scene.failure(worker(1), seconds(3)), "");
}

TEST(Membership, AWorkersErrorEndsTheJobWithItsWords) {
  Scene scene(3, 1);
  scene.start_all();
  scene.on_io(worker(2), [](Participant& p) {
    p.leave(Error(ErrorCode::kInvalidArgument, "the file train.csv has no label"));
  });
  for (const Task task : {kChief, worker(1), server(0)}) {
    const std::string failure = scene.failure(task, seconds(2));
    EXPECT_NE(failure.find("worker 2 at worker 2.host:1 is lost: it failed: [INVALID_ARGUMENT] "
                           "the file train.csv has no label"),
              std::string::npos)
        << failure;
  }
}

TEST(Membership, TheChiefsErrorReachesTheOthersAsTheChiefs) {
  Scene scene(2, 1);
  scene.start_all();
  scene.on_io(kChief, [](Participant& p) {
    p.leave(Error(ErrorCode::kNotFound, "there is no file train.csv"));
  });
  for (const Task task : {worker(1), server(0)}) {
    const std::string failure = scene.failure(task, seconds(2));
    EXPECT_NE(
        failure.find("[NOT_FOUND] worker 0 at worker 0.host:1 (the chief) failed: [NOT_FOUND] "
                     "there is no file train.csv"),
        std::string::npos)
        << failure;
  }
}

TEST(Membership, GathersCarryValuesByRank) {
  Scene scene(3, 1, {.drop = 0.1, .duplicate = 0.1, .cut = 0.02}, support::seed());
  scene.start_all();
  for (int round = 0; round < 20; ++round) {
    std::vector<base::Completion<Gathered>> results;
    for (int rank = 0; rank < 3; ++rank) {
      results.push_back(scene.on_io(worker(rank), [&](Participant& p) {
        return p.gather("round", base::str_cat(rank, "/", round));
      }));
    }
    for (const auto& result : results) {
      ASSERT_TRUE(scene.world.run_until([&] { return result.done(); }, minutes(2)));
      EXPECT_EQ(result.get(), (Gathered{base::str_cat("0/", round), base::str_cat("1/", round),
                                        base::str_cat("2/", round)}));
    }
  }
}

TEST(Membership, AGatherGoesOnWithoutALostWorker) {
  Scene scene(3, 1);
  scene.start_all();
  dynamic_cast<Coordinator&>(scene.at(kChief)).tolerate_worker_losses(3);
  const auto join = [&](int rank) {
    return scene.on_io(worker(rank), [](Participant& p) { return p.gather("g", "x"); });
  };
  const auto first = join(0);
  const auto second = join(1);
  scene.world.run_for(seconds(2));
  EXPECT_FALSE(first.done());
  scene.world.kill(scene.endpoint(worker(2)));
  ASSERT_TRUE(scene.world.run_until([&] { return first.done() && second.done(); }, seconds(7)));
  EXPECT_EQ(second.get(), (Gathered{"x", "x", ""}));
}

TEST(Membership, AGatherThatAWorkerNeverJoinsEndsAtTheDeadlineAndNamesIt) {
  Scene scene(3, 1);
  scene.timing.operation_timeout = seconds(20);
  scene.start_all();
  for (const int rank : {0, 2}) {
    (void)scene.on_io(worker(rank), [](Participant& p) { return p.gather("epoch 3", ""); });
  }
  const std::string failure = scene.failure(worker(2), seconds(25));
  EXPECT_NE(failure.find("[DEADLINE_EXCEEDED] \"epoch 3\" has waited 20 s for worker rank 1."),
            std::string::npos)
      << failure;
}

TEST(Membership, ServersEndByThemselvesWhenTheWorkersAndTheChiefHaveLeft) {
  Scene scene(2, 2);
  scene.start_all();
  scene.on_io(kChief, [](Participant& p) { p.leave({}); });
  scene.world.run_for(seconds(5));
  EXPECT_FALSE(scene.at(server(0)).finished().done()) << "worker 1 still trains";
  scene.on_io(worker(1), [](Participant& p) { p.leave({}); });
  ASSERT_TRUE(scene.world.run_until(
      [&] {
        return scene.at(server(0)).finished().done() && scene.at(server(1)).finished().done();
      },
      seconds(5)));
  for (const int i : {0, 1}) scene.on_io(server(i), [](Participant& p) { p.leave({}); });
  EXPECT_TRUE(scene.world.run_until([&] { return scene.at(kChief).left().done(); }, seconds(2)));
  EXPECT_FALSE(scene.at(server(0)).view().failure);
}

TEST(Membership, AStrangerIsToldThatItIsNotOfThisCluster) {
  Scene scene(2, 1);
  scene.start_all();
  scene.peers.push_back({server(7), "ps 7.host:1"});
  scene.start(server(7));
  EXPECT_NE(scene.failure(server(7), seconds(3)).find("not one of the chief's cluster"),
            std::string::npos);
  EXPECT_FALSE(scene.at(kChief).view().failure);
}

}  // namespace
}  // namespace dtrain::inline v0::cluster
