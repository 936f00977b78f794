#include "data/sources.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include "base/strings.h"
#include "data/csv_reader.h"
#include "data/dataset_access.h"
#include "data/example_parser.h"
#include "data/examples.h"
#include "data/gzip_file.h"
#include "data/record_reader.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::data {

namespace {

class DatasetStream final : public Stream {
 public:
  explicit DatasetStream(Dataset dataset) : dataset_(std::move(dataset)) {}

  bool next(Examples& out) override {
    const std::size_t count = std::min(kPieceExamples, dataset_.size() - next_);
    if (count == 0) return false;
    const Examples& all = DatasetAccess::examples(dataset_);
    prepare(out, all);
    append(out, all, DatasetAccess::begin(dataset_) + next_, count);
    next_ += count;
    return true;
  }

 private:
  const Dataset dataset_;
  std::size_t next_ = 0;
};

class CsvStream final : public Stream {
 public:
  CsvStream(const std::vector<std::string>& files, const CsvOptions& options)
      : files_(files), options_(options), buffer_(kBufferBytes) {}

  bool next(Examples& out) override {
    while (true) {
      if (!file_ && !open()) return false;
      const std::size_t bytes = file_->read(buffer_);
      reader_->feed({buffer_.data(), bytes});
      const bool ends = bytes < buffer_.size();
      if (ends) reader_->end();
      if (ends) file_.reset();
      if (reader_->count() == 0) continue;
      reader_->take(out);
      if (like_.features.empty()) like_ = sample(out);
      check_alike(like_, out, files_[next_ - 1]);
      return true;
    }
  }

 private:
  static constexpr std::size_t kBufferBytes = std::size_t{64} * 1024;

  bool open() {
    if (next_ == files_.size()) return false;
    const std::string& path = files_[next_++];
    reader_.emplace(path, options_);
    file_.emplace(path);
    return true;
  }

  const std::vector<std::string> files_;
  const CsvOptions options_;
  std::size_t next_ = 0;
  std::optional<GzipFile> file_;
  std::optional<CsvReader> reader_;
  std::vector<char> buffer_;
  Examples like_;
};

class TfRecordStream final : public Stream {
 public:
  TfRecordStream(const std::vector<std::string>& files, const TfRecordOptions& options)
      : files_(files),
        record_bytes_max_(options.record_bytes_max),
        parser_(options),
        like_(parser_.empty()) {}

  bool next(Examples& out) override {
    prepare(out, like_);
    std::size_t count = 0;
    std::size_t bytes = 0;
    while (count < kPieceExamples && bytes < kPieceBytes) {
      if (!reader_ && !open()) break;
      std::string_view record;
      if (!reader_->next(record)) {
        reader_.reset();
        continue;
      }
      parser_.add(record, *reader_, out);
      ++count;
      bytes += record.size();
    }
    return count > 0;
  }

 private:
  // A piece of long records has fewer of them.
  static constexpr std::size_t kPieceBytes = std::size_t{4} << 20;

  bool open() {
    if (next_ == files_.size()) return false;
    const std::string& path = files_[next_++];
    file_.emplace(path);
    reader_.emplace(
        path, [this](std::span<char> out) { return file_->read(out); }, record_bytes_max_);
    return true;
  }

  const std::vector<std::string> files_;
  const std::uint64_t record_bytes_max_;
  ExampleParser parser_;
  const Examples like_;
  std::size_t next_ = 0;
  std::optional<GzipFile> file_;
  std::optional<RecordReader> reader_;
};

class GeneratorStream final : public Stream {
 public:
  explicit GeneratorStream(Pipeline::Generator generate) : generate_(std::move(generate)) {}

  bool next(Examples& out) override {
    while (true) {
      prepare(out, like_);
      if (!generate_(out)) return false;
      const std::size_t count = check(out, "a generator's examples: ", true);
      if (count == 0) continue;
      if (like_.features.empty()) like_ = sample(out);
      check_alike(like_, out, "what the generator gave later");
      return true;
    }
  }

 private:
  const Pipeline::Generator generate_;
  Examples like_;
};

const std::vector<std::string>& checked(const std::vector<std::string>& files) {
  if (files.empty()) {
    throw Error(ErrorCode::kInvalidArgument, "the list of files to read is empty",
                "Give at least one path");
  }
  return files;
}

}  // namespace

void prepare(Examples& out, const Examples& like) {
  if (alike(out, like)) {
    clear(out);
  } else {
    out = empty_like(like);
  }
}

OpenStream from_dataset(const Dataset& dataset) {
  return [dataset](std::uint64_t /*pass*/) { return std::make_unique<DatasetStream>(dataset); };
}

OpenStream from_csv(std::vector<std::string> files, const CsvOptions& options) {
  validate(options);
  checked(files);
  return [files = std::move(files), options](std::uint64_t /*pass*/) {
    return std::make_unique<CsvStream>(files, options);
  };
}

OpenStream from_tfrecord(std::vector<std::string> files, const TfRecordOptions& options) {
  const ExampleParser valid(options);
  checked(files);
  return [files = std::move(files), options](std::uint64_t /*pass*/) {
    return std::make_unique<TfRecordStream>(files, options);
  };
}

OpenStream from_generator(std::function<Pipeline::Generator()> start) {
  return [start = std::move(start)](std::uint64_t /*pass*/) {
    return std::make_unique<GeneratorStream>(start());
  };
}

}  // namespace dtrain::inline v0::data
