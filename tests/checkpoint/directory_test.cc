#include "checkpoint/directory.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "checkpoint/sim_file_system.h"
#include "checkpoint/state_file.h"
#include "dtrain/error.h"
#include "support/seed.h"

namespace dtrain::inline v0::checkpoint {
namespace {

using Fault = SimFileSystem::Fault;

constexpr int kKeep = 2;

Directory open(SimFileSystem& files) {
  return {files, "ckpt", observe::Logger([](LogLevel, std::string_view) {})};
}

/// A checkpoint whose tensor says which step it is of.
void save(SimFileSystem& files, std::int64_t step) {
  open(files).save(step, kKeep, [&](Writer& writer) {
    write_integers(writer, "values", std::vector<std::int64_t>(300, step), {300});
  });
}

/// The step that the newest checkpoint restores, everything in it checked; -1 without one.
std::int64_t restored(SimFileSystem& files) {
  const auto path = open(files).latest();
  if (!path) return -1;
  const auto reader = open_checkpoint(files, *path);
  reader->verify();
  const auto values = read_integers(*reader, "values", 300);
  EXPECT_EQ(values, std::vector<std::int64_t>(300, values.front()));
  EXPECT_EQ(*path, "ckpt/" + checkpoint_name(values.front()));
  return values.front();
}

void prepare_with(SimFileSystem& files, std::initializer_list<std::int64_t> steps) {
  open(files).prepare();
  for (const std::int64_t step : steps) save(files, step);
}

TEST(Directory, AnEmptyOrMissingFolderHasNoCheckpoint) {
  SimFileSystem files;
  EXPECT_FALSE(open(files).latest());
  open(files).prepare();
  EXPECT_FALSE(open(files).latest());
  EXPECT_TRUE(files.list("ckpt").empty()) << "the probe is gone";
}

TEST(Directory, TheNewestFewStay) {
  SimFileSystem files;
  prepare_with(files, {10, 20, 30});
  EXPECT_EQ(files.list("ckpt"), (std::vector<std::string>{"checkpoint", "ckpt-20", "ckpt-30"}));
  EXPECT_EQ(restored(files), 30);
  EXPECT_EQ(files.bytes("ckpt/checkpoint"),
            "model_checkpoint_path: \"ckpt-30\"\n"
            "all_model_checkpoint_paths: \"ckpt-20\"\n"
            "all_model_checkpoint_paths: \"ckpt-30\"\n");
}

TEST(Directory, WhatIsSavedLastIsTheNewestWhateverItsStep) {
  SimFileSystem files;
  prepare_with(files, {10, 20, 5});
  EXPECT_EQ(restored(files), 5);
  save(files, 20);
  EXPECT_EQ(files.list("ckpt"), (std::vector<std::string>{"checkpoint", "ckpt-20", "ckpt-5"}));
  EXPECT_EQ(restored(files), 20);
}

TEST(Directory, ADeletedNewestGivesWayToTheOneBefore) {
  SimFileSystem files;
  prepare_with(files, {10, 20});
  files.remove("ckpt/ckpt-20");
  EXPECT_EQ(restored(files), 10);
  files.remove("ckpt/ckpt-10");
  EXPECT_EQ(restored(files), -1);
}

TEST(Directory, WithoutAStateFileTheHighestStepCounts) {
  SimFileSystem files;
  prepare_with(files, {9, 10});
  files.remove("ckpt/checkpoint");
  EXPECT_EQ(restored(files), 10);
}

TEST(Directory, OtherFilesAreLeftAlone) {
  SimFileSystem files;
  open(files).prepare();
  const std::vector<std::string> others{"ckpt-", "ckpt-007", "ckpt-1.index", "ckpt-x.tmp",
                                        "notes.tmp"};
  for (const std::string& name : others) files.create("ckpt/" + name);
  save(files, 3);
  open(files).prepare();
  for (const std::string& name : others) EXPECT_EQ(std::ranges::count(files.list("ckpt"), name), 1);
}

/// Saves step 30 over 10 and 20 with one fault at each call in turn, and hands what is left to
/// `check`.
void at_every_call(Fault fault, std::optional<std::uint64_t> power_seed,
                   const std::function<void(SimFileSystem&)>& check) {
  bool faulted = true;
  for (int call = 0; faulted; ++call) {
    SCOPED_TRACE("call " + std::to_string(call));
    SimFileSystem files;
    prepare_with(files, {10, 20});
    files.set_fault(fault, call);
    faulted = false;
    try {
      save(files, 30);
    } catch (const Crash&) {
      faulted = true;
    } catch (const Error& error) {
      faulted = true;
      EXPECT_NE(std::string(error.what()).find("\"ckpt"), std::string::npos) << error.what();
    }
    if (!faulted) {
      ASSERT_GT(call, 10) << "the faults were never reached";
    }
    if (power_seed) {
      files.lose_power(*power_seed + static_cast<std::uint64_t>(call));
    } else {
      files.restart();
    }
    check(files);
  }
}

void expect_whole_and_clean(SimFileSystem& files) {
  const std::int64_t newest = restored(files);
  EXPECT_TRUE(newest == 20 || newest == 30) << newest;
  open(files).prepare();
  EXPECT_EQ(restored(files), newest) << "cleaning changes nothing that counts";
  save(files, 40);
  EXPECT_EQ(restored(files), 40);
  EXPECT_EQ(files.list("ckpt"),
            (std::vector<std::string>{"checkpoint", checkpoint_name(newest), "ckpt-40"}));
}

TEST(Directory, AProcessKilledAtAnyCallLeavesAWholeNewest) {
  at_every_call(Fault::kCrash, {}, expect_whole_and_clean);
}

TEST(Directory, PowerLostAtAnyCallLeavesAWholeNewest) {
  const std::uint64_t seed = support::seed();
  for (std::uint64_t i = 0; i < 50 && !HasFailure(); ++i) {
    at_every_call(Fault::kCrash, seed + 1000 * i, expect_whole_and_clean);
  }
}

TEST(Directory, ASaveThatFailsGivesItsRoomBack) {
  SimFileSystem files;
  prepare_with(files, {10});
  files.set_fault(Fault::kError, 1);
  EXPECT_THROW(save(files, 20), Error);
  files.restart();
  EXPECT_EQ(files.list("ckpt"), (std::vector<std::string>{"checkpoint", "ckpt-10"}));
}

TEST(Directory, AnErrorOfAnyCallLeavesAWholeNewest) {
  at_every_call(Fault::kError, {}, expect_whole_and_clean);
}

TEST(Directory, AFirstSaveKilledAtAnyCallLeavesNothingOrItself) {
  bool crashed = true;
  for (int call = 0; crashed; ++call) {
    SCOPED_TRACE("call " + std::to_string(call));
    SimFileSystem files;
    files.set_fault(Fault::kCrash, call);
    crashed = false;
    try {
      prepare_with(files, {10});
    } catch (const Crash&) {
      crashed = true;
    }
    files.restart();
    const std::int64_t newest = restored(files);
    EXPECT_TRUE(newest == -1 || newest == 10) << newest;
    open(files).prepare();
    for (const std::string& name : files.list("ckpt")) {
      EXPECT_TRUE(name == "checkpoint" || name == "ckpt-10") << name;
    }
  }
}

TEST(Directory, AFolderThatCannotBeWrittenIsAnErrorOfPrepare) {
  SimFileSystem files;
  files.set_fault(Fault::kError, 1);
  try {
    open(files).prepare();
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("ckpt/checkpoint.probe.tmp"), std::string::npos);
  }
}

}  // namespace
}  // namespace dtrain::inline v0::checkpoint
