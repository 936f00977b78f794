#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "data/pipeline_testing.h"
#include "dtrain/pipeline.h"

namespace dtrain::inline v0 {
namespace {

using data::expect_error;
using data::TemporaryFolder;

TEST(ShardFiles, GivesEachFileToOneWorker) {
  const std::vector<std::string> files{"a", "b", "c", "d", "e"};
  EXPECT_EQ(shard_files(files, 2, 0), (std::vector<std::string>{"a", "c", "e"}));
  EXPECT_EQ(shard_files(files, 2, 1), (std::vector<std::string>{"b", "d"}));
  expect_error([&] { shard_files(files, 6, 0); }, ErrorCode::kInvalidArgument,
               {"5 files are not enough for 6 workers", "shard()"});
  expect_error([&] { shard_files(files, 2, -1); }, ErrorCode::kInvalidArgument, {"rank -1"});
}

/// Files of 1, 1000 and 7 examples.
std::vector<std::string> write_csv(const TemporaryFolder& folder) {
  std::vector<std::string> paths;
  int next = 0;
  for (const int count : {1, 10000, 7}) {
    std::string text = "class,name,n,w\n";
    for (int i = 0; i < count; ++i, ++next) {
      const std::string number = std::to_string(next);
      text += std::to_string(next % 10) + ",\"the name of " + number + "\"," + number + "," +
              number + "\n";
    }
    paths.push_back(folder.write("part-" + std::to_string(paths.size()) + ".csv",
                                 count == 7 ? data::gzip(text) : text));
  }
  return paths;
}

CsvOptions csv_options() {
  return {.label = "class",
          .weight = "w",
          .features = {{"n", DType::kInt64}, {"name", DType::kString}}};
}

TEST(Pipeline, ReadsCsvFilesOneAfterTheOther) {
  const TemporaryFolder folder;
  const std::vector<std::string> files = write_csv(folder);
  const Pipeline pipeline = Pipeline::from_csv(files, csv_options());
  EXPECT_EQ(numbers(pipeline.stream()), range(0, 10008));
  EXPECT_EQ(numbers(pipeline.batch(100).prefetch(2).repeat(2).stream()).size(), 20016U);
  EXPECT_EQ(numbers(Pipeline::from_csv(shard_files(files, 3, 2), csv_options()).stream()),
            range(10001, 10008));
}

TEST(Pipeline, ReadsTfRecordFilesOneAfterTheOther) {
  const TemporaryFolder folder;
  std::vector<std::string> files;
  const std::vector<std::pair<int, int>> ranges{{0, 1}, {1, 1}, {1, 900}, {900, 1003}};
  for (const auto& [begin, end] : ranges) {
    files.push_back(folder.path() + "/" + std::to_string(files.size()));
    TfRecordWriter writer(files.back(), {.gzip = begin == 900});
    writer.write(numbered(begin, end));
    writer.close();
  }
  const TfRecordOptions options{.features = {{"n", DType::kInt64}, {"name", DType::kString}},
                                .targets = {{"class", DType::kInt32}},
                                .weight = "weight"};
  EXPECT_EQ(numbers(Pipeline::from_tfrecord(files, options).stream()), range(0, 1003));
}

TEST(Pipeline, ErrorsInFilesNameThem) {
  const TemporaryFolder folder;
  std::vector<std::string> files = write_csv(folder);
  const auto read = [&] { Pipeline::from_csv(files, csv_options()).prefetch(2).collect(); };
  files.push_back(folder.write("last.csv", "class,name,n,w\n1,x,abc,1\n"));
  expect_error(read, ErrorCode::kInvalidArgument,
               {"last.csv line 2, column \"n\": \"abc\" is not an integer"});
  files.back() = folder.path() + "/none.csv";
  expect_error(read, ErrorCode::kNotFound, {"none.csv"});
}

}  // namespace
}  // namespace dtrain::inline v0
