#include "bench/limits_ping.h"

#include <sched.h>

#include <new>

#include "bench/limits.h"
#include "bench/statistics.h"

namespace dtrain::inline v0::bench {
namespace {

struct Order {
  std::size_t count = 0;
  Waiting waiting = Waiting::kSleep;
  cpu_set_t cores;  // where the child runs
};

cpu_set_t usable_cores() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  sched_getaffinity(0, sizeof(cores), &cores);
  return cores;
}

// The `number`-th core of a set, or its last one.
cpu_set_t one_of(const cpu_set_t& cores, int number) {
  cpu_set_t one;
  CPU_ZERO(&one);
  for (int core = 0; core < CPU_SETSIZE && number >= 0; ++core) {
    if (!CPU_ISSET(core, &cores)) continue;
    CPU_ZERO(&one);
    CPU_SET(core, &one);
    --number;
  }
  return one;
}

// Where the calling thread runs, as long as this lives.
class BoundThread {
 public:
  explicit BoundThread(const cpu_set_t& cores) { sched_setaffinity(0, sizeof(cores), &cores); }
  ~BoundThread() { sched_setaffinity(0, sizeof(before_), &before_); }
  BoundThread(const BoundThread&) = delete;
  BoundThread& operator=(const BoundThread&) = delete;

 private:
  const cpu_set_t before_ = usable_cores();
};

// On lines of their own; twice as far apart as those are long, because they are fetched in pairs.
struct Words {
  alignas(128) SharedWord ping = 0;
  alignas(128) SharedWord pong = 0;
};

constexpr base::Duration kDeadline = std::chrono::seconds(10);

void wait_while(const SharedWord& word, std::uint32_t value, Waiting waiting,
                base::TimePoint deadline) {
  if (waiting == Waiting::kSleep) return sleep_while(word, value, deadline);
  spin_while(word, value, deadline);
}

void post(SharedWord& word, std::uint32_t value, Waiting waiting) {
  word.store(value);
  if (waiting == Waiting::kSleep) wake_one(word);
}

}  // namespace

PingLimit::PingLimit()
    : pages_(sizeof(Words)), child_({.role = "ping", .descriptors = {pages_.fd()}}) {
  new (pages_.data()) Words;
}

std::vector<double> PingLimit::sample(std::size_t count, Waiting waiting, Cores cores) {
  auto& words = *reinterpret_cast<Words*>(pages_.data());
  const cpu_set_t usable = usable_cores();
  const BoundThread bound(cores == Cores::kAny ? usable : one_of(usable, 0));
  const bool is_any = cores == Cores::kAny;
  child_.channel().send_value(
      Order{count, waiting, is_any ? usable : one_of(usable, cores == Cores::kOne ? 0 : 1)});
  child_.channel().receive();  // it has begun to wait
  std::vector<double> seconds;
  seconds.reserve(count);
  const base::TimePoint deadline = std::chrono::steady_clock::now() + kDeadline;
  for (std::size_t i = 0; i < count; ++i) {
    const Stopwatch watch;
    const std::uint32_t before = words.pong.load();
    post(words.ping, words.ping.load() + 1, waiting);
    wait_while(words.pong, before, waiting, deadline);
    seconds.push_back(watch.seconds());
  }
  return seconds;
}

void run_ping_child(ChildSide& side) {
  const SharedPages pages(side.descriptors.at(0), sizeof(Words));
  auto& words = *reinterpret_cast<Words*>(pages.data());
  while (const auto order = side.parent.receive_value_or_end<Order>()) {
    const BoundThread bound(order->cores);
    std::uint32_t seen = words.ping.load();
    side.parent.send("ready");
    const base::TimePoint deadline = std::chrono::steady_clock::now() + kDeadline;
    for (std::size_t i = 0; i < order->count; ++i) {
      wait_while(words.ping, seen, order->waiting, deadline);
      ++seen;
      post(words.pong, seen, order->waiting);
    }
  }
}

}  // namespace dtrain::inline v0::bench
