// What carries a job's bytes, seen from outside: by itself shared memory where it works, and tcp
// where a sandbox, another user or another network namespace forbids it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <sstream>

#include "base/strings.h"
#include "integration/local_job.h"
#include "integration/temporary_folder.h"
#include "support/process.h"

namespace dtrain::inline v0::integration {
namespace {

using std::chrono::seconds;
using Command = std::vector<std::string>;

Command operator+(Command first, const Command& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

/// The words that the probe prints at its end.
struct Moved {
  std::uint64_t shared = 0;
  std::uint64_t network = 0;
  std::uint64_t staged = 0;
};

Moved moved_by(support::Process& process) {
  const std::string out = process.out();
  const std::size_t at = out.rfind("traffic ");
  Moved moved;
  if (at == std::string::npos) {
    ADD_FAILURE() << "no traffic in " << out;
    return moved;
  }
  std::istringstream words(out.substr(at));
  std::string name;
  words >> name >> name >> moved.shared >> name >> moved.network >> name >> moved.staged;
  return moved;
}

/// 50 steps of two workers and two servers, some of them started by a command in front of theirs.
class Outcome {
 public:
  explicit Outcome(const std::string& transport, const std::map<Task, Command>& prefixes = {})
      : job_({.workers = 2,
              .servers = 2,
              .command = probe(),
              .environment = {{"DTRAIN_TRANSPORT", transport}}}) {
    for (const Task task : job_.tasks()) {
      const auto prefix = prefixes.find(task);
      job_.start(task, (prefix == prefixes.end() ? Command{} : prefix->second) + probe());
    }
    for (const auto& [task, status] : job_.wait_all(seconds(60))) {
      EXPECT_EQ(status, support::ExitStatus{}) << to_string(task) << "\n" << job_.describe();
    }
  }

  LocalJob& job() { return job_; }
  Moved moved(Task task) { return moved_by(job_.at(task)); }
  std::string weights() const {
    std::ifstream in(folder_.file("weights"), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  /// How often a process says why it does not share memory.
  int said(Task task, const std::string& reason) {
    const std::string log = job_.at(task).err();
    int count = 0;
    for (std::size_t at = log.find("shared memory is off"); at != std::string::npos;
         at = log.find("shared memory is off", at + 1)) {
      const std::string line = log.substr(at, log.find('\n', at) - at);
      if (line.find(reason) != std::string::npos && line.ends_with("; using tcp")) ++count;
    }
    return count;
  }

 private:
  Command probe() const {
    return {DTRAIN_TRAIN_PROBE, "--mode", "sync", "--out", folder_.file("weights")};
  }

  const TemporaryFolder folder_;
  LocalJob job_;
};

/// Whether a command succeeds here; some need rights that a test machine may not give.
bool works(const Command& command) {
  support::Process process({.command = command});
  return process.wait() == support::ExitStatus{};
}

const std::string& reference_weights() {
  static const std::string weights = Outcome("tcp").weights();
  return weights;
}

TEST(SharedMemory, CarriesGradientsAndValuesByItself) {
  Outcome run("auto");
  for (const Task task : {worker(0), worker(1)}) {
    const Moved moved = run.moved(task);
    EXPECT_GT(moved.shared, 50U * 1474 * 4) << to_string(task);
    EXPECT_EQ(moved.network, 0U) << to_string(task);
    EXPECT_LT(moved.staged, moved.shared / 4) << "gradients are read where they lie";
  }
  for (const Task task : run.job().tasks()) {
    const std::string log = run.job().at(task).err();
    EXPECT_NE(log.find("through shared memory"), std::string::npos) << log;
    EXPECT_EQ(log.find("over tcp"), std::string::npos) << log;
  }
  EXPECT_EQ(run.weights(), reference_weights());
}

TEST(SharedMemory, IsNotUsedWhenTcpIsAskedFor) {
  Outcome run("tcp");
  EXPECT_EQ(run.moved(worker(0)).shared, 0U);
  EXPECT_GT(run.moved(worker(0)).network, 50U * 1474 * 4);
  EXPECT_EQ(run.said(worker(0), ""), 0) << "nothing is missing";
}

TEST(SharedMemory, WorksAcrossMountNamespaces) {
  const Command unshare{"unshare", "-m"};
  if (!works(unshare + Command{"true"})) GTEST_SKIP() << "unshare -m is not allowed here";
  Outcome run("shm", {{server(0), unshare}, {worker(1), unshare}});
  EXPECT_EQ(run.moved(worker(1)).network, 0U);
  EXPECT_EQ(run.weights(), reference_weights());
}

TEST(SharedMemory, WithAnotherUserFallsBackToTcp) {
  const Command nobody{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"};
  if (!works(nobody + Command{"test", "-x", DTRAIN_TRAIN_PROBE})) {
    GTEST_SKIP() << "this test cannot run " << DTRAIN_TRAIN_PROBE << " as another user";
  }
  Outcome run("auto", {{server(0), nobody}});
  for (const Task task : {worker(0), worker(1)}) {
    EXPECT_GT(run.moved(task).shared, 0U) << "with the other server";
    EXPECT_GT(run.moved(task).network, 0U);
    EXPECT_EQ(run.said(task, "user 65534"), 1) << run.job().describe();
  }
  EXPECT_EQ(run.weights(), reference_weights());
}

TEST(SharedMemory, WithoutMemfdFallsBackToTcp) {
  const Command sandbox{DTRAIN_WITHOUT_MEMFD};
  if (!works(sandbox + Command{"true"})) GTEST_SKIP() << "seccomp filters are not allowed here";
  Outcome run("auto", {{server(0), sandbox}, {worker(1), sandbox}});
  const std::string refused = "memfd_create: Operation not permitted";
  EXPECT_EQ(run.said(server(0), refused), 1) << run.job().describe();
  EXPECT_EQ(run.said(worker(1), refused), 1) << run.job().describe();
  EXPECT_EQ(run.said(worker(0), refused), 1) << "it is told by the server";
  EXPECT_EQ(run.moved(worker(1)).shared, 0U);
  EXPECT_GT(run.moved(worker(0)).shared, 0U);
  EXPECT_EQ(run.weights(), reference_weights());
}

TEST(SharedMemory, ThatIsAskedForAndCannotBeHadEndsTheJobWithTheReason) {
  LocalJob job({.workers = 2,
                .servers = 1,
                .command = {DTRAIN_TRAIN_PROBE, "--mode", "sync"},
                .environment = {{"DTRAIN_TRANSPORT", "shm"}}});
  for (const Task task : {worker(0), worker(1)}) job.start(task);
  job.start(server(0), {"env", "DTRAIN_TRANSPORT=tcp", DTRAIN_TRAIN_PROBE, "--mode", "sync"});
  for (const Task task : {worker(0), worker(1)}) {
    const auto status = job.at(task).wait(seconds(30));
    ASSERT_TRUE(status.has_value()) << job.describe();
    EXPECT_NE(*status, support::ExitStatus{});
  }
  const std::string said = job.at(worker(0)).err() + job.at(worker(1)).err();
  EXPECT_NE(said.find("No shared memory with tcp://127.0.0.1:"), std::string::npos) << said;
  EXPECT_NE(said.find("switched off"), std::string::npos) << said;
}

/// Two network namespaces with a cable between them: 10.213.7.1 in the first, .2 in the second.
class Namespaces {
 public:
  Namespaces()
      : a_(base::str_cat("dtrain-a-", getpid())), b_(base::str_cat("dtrain-b-", getpid())) {
    usable_ = works({"ip", "netns", "add", a_}) && works({"ip", "netns", "add", b_}) &&
              works({"ip", "link", "add", "veth0", "netns", a_, "type", "veth", "peer", "name",
                     "veth0", "netns", b_}) &&
              address(a_, "10.213.7.1/24") && address(b_, "10.213.7.2/24");
  }
  ~Namespaces() {
    for (const std::string& name : {a_, b_}) (void)works({"ip", "netns", "del", name});
  }
  bool usable() const { return usable_; }
  Command in_first(const Command& command) const {
    return Command{"ip", "netns", "exec", a_} + command;
  }
  Command in_second(const Command& command) const {
    return Command{"ip", "netns", "exec", b_} + command;
  }

 private:
  static bool address(const std::string& name, const std::string& text) {
    return works({"ip", "-n", name, "addr", "add", text, "dev", "veth0"}) &&
           works({"ip", "-n", name, "link", "set", "veth0", "up"}) &&
           works({"ip", "-n", name, "link", "set", "lo", "up"});
  }

  const std::string a_;
  const std::string b_;
  bool usable_ = false;
};

TEST(SharedMemory, AcrossNetworkNamespacesFallsBackToTcp) {
  const Namespaces namespaces;
  if (!namespaces.usable()) GTEST_SKIP() << "network namespaces cannot be made here (root?)";
  ClusterSpec::Jobs jobs;
  jobs["worker"][0] = "10.213.7.1:2222";
  jobs["ps"][0] = "10.213.7.2:2222";
  const auto start = [&](Task task, const Command& command) {
    const auto spec = ClusterSpec::create(jobs, role_name(task.role), task.index);
    return std::make_unique<support::Process>(support::ProcessOptions{
        .command = command,
        .environment = {{"TF_CONFIG", spec.to_tf_config(task)}, {"DTRAIN_NUM_THREADS", "1"}}});
  };
  const Command probe{DTRAIN_TRAIN_PROBE, "--mode", "sync"};
  const auto training = start(worker(0), namespaces.in_first(probe));
  const auto serving = start(server(0), namespaces.in_second(probe));
  EXPECT_EQ(training->wait(), support::ExitStatus{}) << training->err();
  EXPECT_EQ(serving->wait(), support::ExitStatus{}) << serving->err();
  EXPECT_EQ(moved_by(*training).shared, 0U);
  EXPECT_GT(moved_by(*training).network, 0U);
  EXPECT_NE(training->err().find("on another host or in another network namespace; using tcp"),
            std::string::npos)
      << training->err();
}

}  // namespace
}  // namespace dtrain::inline v0::integration
