#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "base/strings.h"
#include "data/dataset_access.h"
#include "data/example.pb.h"
#include "data/examples.h"
#include "data/number.h"
#include "data/record_reader.h"
#include "dtrain/dataset.h"
#include "dtrain/error.h"
#include "dtrain/tfrecord.h"

namespace dtrain::inline v0 {

namespace {

using dtrain_pb::data::Feature;

Error unavailable(std::string_view what, const std::string& path, int error_number) {
  return Error(ErrorCode::kUnavailable,
               base::str_cat("cannot ", what, " ", path, ": ",
                             std::generic_category().message(error_number)),
               "Check the folder, its permissions and the space left, and try again");
}

void set_values(const Column& column, std::size_t row, Feature& feature) {
  const std::size_t width = data::width(column);
  const std::size_t begin = row * width;
  const auto add_all = [&](const auto& values, auto& list) {
    for (std::size_t i = begin; i < begin + width; ++i) list.add_value(values[i]);
  };
  switch (column.dtype()) {
    case DType::kFloat32:
      return add_all(std::get<std::vector<float>>(column.values), *feature.mutable_float_list());
    case DType::kInt32:
      return add_all(std::get<std::vector<std::int32_t>>(column.values),
                     *feature.mutable_int64_list());
    case DType::kInt64:
      return add_all(std::get<std::vector<std::int64_t>>(column.values),
                     *feature.mutable_int64_list());
    case DType::kString:
      break;
  }
  const Strings& strings = std::get<Strings>(column.values);
  for (std::size_t i = begin; i < begin + width; ++i) {
    feature.mutable_bytes_list()->add_value(strings[i].data(), strings[i].size());
  }
}

}  // namespace

class TfRecordWriter::Impl {
 public:
  Impl(const std::string& path, TfRecordWriterOptions options)
      : path_(path), options_(std::move(options)) {
    errno = 0;
    file_ = gzopen(path_.c_str(), options_.gzip ? "wbe" : "wbeT");
    if (file_ == nullptr) throw unavailable("open", path_, errno == 0 ? ENOMEM : errno);
  }
  ~Impl() {
    if (file_ != nullptr) gzclose(file_);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void write(const Examples& examples, std::size_t begin, std::size_t count) {
    if (file_ == nullptr) {
      throw Error(ErrorCode::kFailedPrecondition, base::str_cat(path_, " is closed"),
                  "Write before close()");
    }
    check_names(examples);
    for (std::size_t row = begin; row < begin + count; ++row) write_row(examples, row);
  }

  void close() {
    if (file_ == nullptr) return;
    errno = 0;
    const int result = gzclose(std::exchange(file_, nullptr));
    if (result != Z_OK) throw unavailable("write", path_, errno == 0 ? EIO : errno);
  }

 private:
  void check_names(const Examples& examples) const {
    std::vector<std::string> names;
    for (const Column& column : examples.features) names.push_back(column.name);
    for (const Column& column : examples.targets) names.push_back(column.name);
    if (!examples.weights.empty()) names.push_back(options_.weight);
    std::ranges::sort(names);
    const auto twice = std::ranges::adjacent_find(names);
    if (twice == names.end()) return;
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat("two of the features, targets and weights are called ",
                              data::in_quotes(*twice), " in ", path_),
                "Rename one; TfRecordWriterOptions::weight names the weights");
  }

  void write_row(const Examples& examples, std::size_t row) {
    message_.Clear();
    for (const Column& column : examples.features) set_values(column, row, add(column.name));
    for (const Column& column : examples.targets) set_values(column, row, add(column.name));
    if (!examples.weights.empty()) {
      add(options_.weight).mutable_float_list()->add_value(examples.weights[row]);
    }
    if (!message_.SerializeToString(&message_bytes_)) {
      throw Error(ErrorCode::kInvalidArgument,
                  base::str_cat("example ", row, " takes ", message_.ByteSizeLong(),
                                " bytes, more than a tf.Example may have"),
                  "Split it");
    }
    bytes_.clear();
    data::append_record(message_bytes_, bytes_);
    errno = 0;
    if (gzfwrite(bytes_.data(), 1, bytes_.size(), file_) != bytes_.size()) {
      throw unavailable("write", path_, errno == 0 ? EIO : errno);
    }
  }

  Feature& add(const std::string& name) {
    auto& entry = *message_.mutable_features()->add_feature();
    entry.set_key(name);
    return *entry.mutable_value();
  }

  const std::string path_;
  const TfRecordWriterOptions options_;
  gzFile_s* file_ = nullptr;
  dtrain_pb::data::Example message_;
  std::string message_bytes_;
  std::string bytes_;
};

TfRecordWriter::TfRecordWriter(const std::string& path, const TfRecordWriterOptions& options)
    : impl_(std::make_unique<Impl>(path, options)) {}
TfRecordWriter::TfRecordWriter(TfRecordWriter&&) noexcept = default;
TfRecordWriter& TfRecordWriter::operator=(TfRecordWriter&&) noexcept = default;
TfRecordWriter::~TfRecordWriter() = default;

void TfRecordWriter::write(const Examples& examples) { impl_->write(examples, 0, examples.size()); }

void TfRecordWriter::write(const Dataset& dataset) {
  impl_->write(data::DatasetAccess::examples(dataset), data::DatasetAccess::begin(dataset),
               dataset.size());
}

void TfRecordWriter::close() { impl_->close(); }

}  // namespace dtrain::inline v0
