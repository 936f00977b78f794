#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <functional>

#include "checkpoint/directory.h"
#include "dtrain/checkpoint.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::checkpoint {
namespace {

class RealFileSystem : public testing::Test {
 protected:
  RealFileSystem() : folder_(testing::TempDir() + "dtrain-checkpoint-XXXXXX") {
    if (mkdtemp(folder_.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  }
  ~RealFileSystem() override { std::filesystem::remove_all(folder_); }

  static std::string error_of(const std::function<void()>& call) {
    try {
      call();
      return {};
    } catch (const Error& error) {
      return error.what();
    }
  }

  Directory directory(const std::string& path) {
    return {*files_, path, observe::Logger([](LogLevel, std::string_view) {})};
  }

  std::string folder_;
  std::unique_ptr<FileSystem> files_ = make_real_file_system();
};

TEST_F(RealFileSystem, ASavedCheckpointIsFoundAndRead) {
  const std::string path = folder_ + "/made/by/us";
  EXPECT_FALSE(latest_checkpoint(path));
  Directory saved = directory(path);
  saved.prepare();
  for (const std::int64_t step : {1, 2, 3}) {
    saved.save(step, 2, [&](Writer& writer) { write_integer(writer, "step", step); });
  }
  EXPECT_EQ(latest_checkpoint(path), path + "/ckpt-3");
  EXPECT_EQ(files_->list(path), (std::vector<std::string>{"checkpoint", "ckpt-2", "ckpt-3"}));
  const auto reader = open_checkpoint(*files_, path + "/ckpt-3");
  reader->verify();
  EXPECT_EQ(read_integer(*reader, "step"), 3);
}

TEST_F(RealFileSystem, WhatIsInTheWayIsNamed) {
  std::ofstream(folder_ + "/file") << "x";
  std::filesystem::create_directory(folder_ + "/ckpt-1");
  const std::string below_a_file = error_of([&] { directory(folder_ + "/file/ckpt").prepare(); });
  EXPECT_NE(below_a_file.find("[INVALID_ARGUMENT] \"" + folder_ + "/file/ckpt\" cannot be made"),
            std::string::npos)
      << below_a_file;
  const std::string missing = error_of([&] { files_->open(folder_ + "/none"); });
  EXPECT_NE(missing.find("[NOT_FOUND]"), std::string::npos) << missing;
  const std::string folder = error_of([&] { open_checkpoint(*files_, folder_ + "/ckpt-1"); });
  EXPECT_NE(folder.find("Is a directory"), std::string::npos) << folder;
  const std::string foreign = error_of([&] { open_checkpoint(*files_, folder_ + "/file"); });
  EXPECT_NE(foreign.find("[DATA_LOSS]"), std::string::npos) << foreign;
}

TEST_F(RealFileSystem, AFullDiskIsNamed) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full";
  const auto file = files_->create("/dev/full");
  const std::vector<std::byte> bytes(1 << 16);
  const std::string error = error_of([&] { file->append(bytes); });
  EXPECT_NE(error.find("[RESOURCE_EXHAUSTED] \"/dev/full\" cannot be written"), std::string::npos)
      << error;
}

}  // namespace
}  // namespace dtrain::inline v0::checkpoint
