#include "dtrain/pipeline.h"

#include <string_view>
#include <utility>

#include "base/strings.h"
#include "data/dataset_access.h"
#include "data/examples.h"
#include "data/sources.h"
#include "data/stream.h"
#include "data/transforms.h"
#include "dtrain/error.h"

namespace dtrain::inline v0 {

namespace {

Error invalid(std::string_view happened, std::string_view advice) {
  return Error(ErrorCode::kInvalidArgument, happened, advice);
}

void check_worker(int workers, int rank) {
  if (workers >= 1 && rank >= 0 && rank < workers) return;
  throw invalid(base::str_cat("rank ", rank, " is not one of ", workers, " workers"),
                "Give at least 1 worker, and a rank from 0 that is below their number");
}

void check_at_least_1(std::size_t number, std::string_view what) {
  if (number == 0) throw invalid(base::str_cat(what, " is 0"), "Give at least 1");
}

std::shared_ptr<const data::Stage> stage(data::OpenStream open) {
  return std::make_shared<const data::Stage>(data::Stage{std::move(open)});
}

}  // namespace

ExampleStream::ExampleStream(std::unique_ptr<data::Stream> stream) : stream_(std::move(stream)) {}
ExampleStream::ExampleStream(ExampleStream&&) noexcept = default;
ExampleStream& ExampleStream::operator=(ExampleStream&&) noexcept = default;
ExampleStream::~ExampleStream() = default;

const Examples* ExampleStream::next() {
  if (!stream_) return nullptr;
  // Taken away, so that after an error it is at its end.
  std::unique_ptr<data::Stream> stream = std::move(stream_);
  if (!stream->next(examples_)) return nullptr;
  stream_ = std::move(stream);
  return &examples_;
}

Pipeline::Pipeline(std::shared_ptr<const data::Stage> stage) : stage_(std::move(stage)) {}

Pipeline Pipeline::from_dataset(const Dataset& dataset) {
  return Pipeline(stage(data::from_dataset(dataset)));
}

Pipeline Pipeline::from_csv(std::vector<std::string> files, const CsvOptions& options) {
  return Pipeline(stage(data::from_csv(std::move(files), options)));
}

Pipeline Pipeline::from_tfrecord(std::vector<std::string> files, const TfRecordOptions& options) {
  return Pipeline(stage(data::from_tfrecord(std::move(files), options)));
}

Pipeline Pipeline::from_generator(std::function<Generator()> start) {
  return Pipeline(stage(data::from_generator(std::move(start))));
}

Pipeline Pipeline::shard(int workers, int rank) const {
  check_worker(workers, rank);
  return Pipeline(stage(data::shard(stage_->open, static_cast<std::uint64_t>(workers),
                                    static_cast<std::uint64_t>(rank))));
}

Pipeline Pipeline::map(std::function<void(Examples&)> change) const {
  return Pipeline(stage(data::map(stage_->open, std::move(change))));
}

Pipeline Pipeline::shuffle(std::size_t buffer, std::uint64_t seed) const {
  check_at_least_1(buffer, "the buffer of shuffle()");
  return Pipeline(stage(data::shuffle(stage_->open, buffer, seed)));
}

Pipeline Pipeline::batch(std::size_t size, bool drop_remainder) const {
  check_at_least_1(size, "the size of batch()");
  return Pipeline(stage(data::batch(stage_->open, size, drop_remainder)));
}

Pipeline Pipeline::repeat(std::uint64_t times) const {
  return Pipeline(stage(data::repeat(stage_->open, times)));
}

Pipeline Pipeline::cache(std::uint64_t memory_bytes_max) const {
  return Pipeline(stage(data::cache(stage_->open, memory_bytes_max)));
}

Pipeline Pipeline::prefetch(std::size_t pieces) const {
  check_at_least_1(pieces, "the number of pieces of prefetch()");
  return Pipeline(stage(data::prefetch(stage_->open, pieces)));
}

ExampleStream Pipeline::stream(std::uint64_t pass) const {
  return ExampleStream(stage_->open(pass));
}

Dataset Pipeline::collect(std::uint64_t memory_bytes_max) const {
  ExampleStream stream = this->stream();
  Examples all;
  std::uint64_t bytes = 0;
  while (const Examples* piece = stream.next()) {
    if (all.features.empty()) all = data::empty_like(*piece);
    bytes += data::memory_bytes(*piece);
    if (bytes > memory_bytes_max) {
      throw Error(ErrorCode::kResourceExhausted,
                  base::str_cat("the pipeline's examples take more than the ", memory_bytes_max,
                                " bytes that collect() may take"),
                  "Give it more memory, or stream the examples");
    }
    data::append(all, *piece, 0, piece->size());
  }
  if (all.size() == 0) {
    throw invalid("the pipeline has no example", "Check its source, and what map() leaves of it");
  }
  return data::DatasetAccess::make(std::move(all));
}

std::vector<std::string> shard_files(const std::vector<std::string>& files, int workers, int rank) {
  check_worker(workers, rank);
  const auto step = static_cast<std::size_t>(workers);
  if (files.size() < step) {
    throw invalid(base::str_cat(files.size(), " files are not enough for ", workers, " workers"),
                  "Write more files, or have each worker read all of them and use shard()");
  }
  std::vector<std::string> mine;
  for (auto i = static_cast<std::size_t>(rank); i < files.size(); i += step) {
    mine.push_back(files[i]);
  }
  return mine;
}

}  // namespace dtrain::inline v0
