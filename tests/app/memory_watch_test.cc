#include "app/memory_watch.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <memory>

namespace dtrain::app {
namespace {

using std::chrono::milliseconds;

TEST(MemoryWatch, ReadsTheFigureOfARollup) {
  EXPECT_EQ(parse_proportional_set("55d0-7ffe ---p 00000000 00:00 0  [rollup]\n"
                                   "Rss:                2048 kB\nPss:                 717 kB\n"
                                   "Pss_Dirty:           100 kB\n"),
            717U * 1024);
  EXPECT_EQ(parse_proportional_set(""), std::nullopt);
  EXPECT_EQ(parse_proportional_set("x\nPss: many kB\n"), std::nullopt);
  EXPECT_EQ(parse_proportional_set("x\nPss: 12 MB\n"), std::nullopt);
}

TEST(MemoryWatch, KeepsTheLargestAndLooksWhenItIsTime) {
  const pid_t self = getpid();
  MemoryWatch watch({{{Role::kWorker, 0}, self}, {{Role::kPs, 3}, -1}}, milliseconds(100));
  const base::TimePoint start{};
  watch.on_time(start);
  EXPECT_EQ(watch.next_time(), start + milliseconds(100));
  const std::vector<std::string> before = watch.report();
  constexpr std::size_t kBytes = 64 << 20;
  auto memory = std::make_unique<char[]>(kBytes);
  std::memset(memory.get(), 1, kBytes);
  watch.on_time(start + milliseconds(99));
  EXPECT_EQ(watch.report(), before);
  watch.on_time(start + milliseconds(100));
  memory.reset();
  watch.on_time(start + milliseconds(200));
  ASSERT_EQ(watch.report().size(), 2U);
  EXPECT_TRUE(watch.report()[0].starts_with("worker 0: "));
  EXPECT_GE(std::stod(watch.report()[0].substr(10)), 64.0);
  EXPECT_EQ(watch.report()[1], "ps 3: 0.0 MiB")
      << "a process that is gone took nothing that we saw";
}

}  // namespace
}  // namespace dtrain::app
