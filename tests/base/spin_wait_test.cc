#include "base/spin_wait.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace dtrain::base {
namespace {

TEST(SpinWaitTest, SeesNewsThatAreThereAtOnce) {
  EXPECT_TRUE(spin_until([] { return true; }, Duration::zero()));
}

TEST(SpinWaitTest, GivesUpWhenTheBudgetIsOver) {
  int looks = 0;
  EXPECT_FALSE(spin_until([&] { return ++looks < 0; }, std::chrono::microseconds(10)));
  EXPECT_GT(looks, 1);
}

TEST(SpinWaitTest, SeesWhatAnotherThreadSays) {
  std::atomic<bool> said = false;
  std::thread other([&] { said = true; });
  EXPECT_TRUE(spin_until([&] { return said.load(); }, std::chrono::seconds(60)));
  other.join();
}

TEST(SpinWaitTest, LooksLessWhereNothingEverComes) {
  if (!spinning_pays()) GTEST_SKIP() << "one core";
  SpinWait spin;
  int looks_of_waits = 0;
  constexpr int kWaits = 1000;
  for (int i = 0; i < kWaits; ++i) {
    bool looked = false;
    EXPECT_FALSE(spin.until([&] {
      looked = true;
      return false;
    }));
    looks_of_waits += looked ? 1 : 0;
  }
  EXPECT_GE(looks_of_waits, 1);
  EXPECT_LT(looks_of_waits, kWaits / 4);
}

TEST(SpinWaitTest, LooksEachTimeAgainOnceSomethingHasCome) {
  if (!spinning_pays()) GTEST_SKIP() << "one core";
  SpinWait spin;
  for (int i = 0; i < 100; ++i) static_cast<void>(spin.until([] { return false; }));
  bool found = false;
  for (int i = 0; i < 100 && !found; ++i) found = spin.until([] { return true; });
  ASSERT_TRUE(found);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(spin.until([] { return true; }));
}

}  // namespace
}  // namespace dtrain::base
