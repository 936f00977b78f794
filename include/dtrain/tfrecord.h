#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dtrain/dtype.h"
#include "dtrain/examples.h"
#include "dtrain/export.h"
#include "dtrain/variable.h"

namespace dtrain::inline v0 {

class Dataset;

/// A feature of the tf.Example messages in a TFRecord file, which have neither types nor shapes of
/// their own.
struct TfRecordFeature {
  std::string name;
  /// kFloat32 is in a float_list, kInt64 in an int64_list, kString in a bytes_list. kInt32 is for
  /// targets: class ids, in an int64_list.
  DType dtype = DType::kFloat32;
  Shape shape = {1};  ///< Of one example; each has exactly so many values.
  /// What each value is in an example that lacks the feature, as text: "0". Not set: that is an
  /// error.
  std::optional<std::string> missing = std::nullopt;
};

/// How a TFRecord file of tf.Example messages is read. What is not listed is skipped.
struct TfRecordOptions {
  std::vector<TfRecordFeature> features;
  std::vector<TfRecordFeature> targets = {};
  /// The feature with the examples' weights, one float each. Empty: none.
  std::string weight = {};
  /// Whether floats may be NaN or infinite. They are errors otherwise.
  bool allow_non_finite = false;
  /// The longest record.
  std::uint64_t record_bytes_max = std::uint64_t{256} << 20;
  /// The most memory that the examples of Dataset::from_tfrecord may take.
  std::uint64_t memory_bytes_max = std::uint64_t{8} << 30;
};

struct TfRecordWriterOptions {
  bool gzip = false;
  /// The feature that examples' weights are written to.
  std::string weight = "weight";
};

/// Writes examples as tf.Example messages into a TFRecord file, as TensorFlow's TFRecordDataset
/// and parse_example read it. Features and targets go by their names; class ids into an int64_list.
/// Thread-compatible.
class DTRAIN_EXPORT TfRecordWriter {
 public:
  /// Overwrites the file. Throws unavailable with the system's reason.
  explicit TfRecordWriter(const std::string& path, const TfRecordWriterOptions& options = {});
  TfRecordWriter(TfRecordWriter&&) noexcept;
  TfRecordWriter& operator=(TfRecordWriter&&) noexcept;
  /// Closes the file, and does not say whether that went well.
  ~TfRecordWriter();

  /// Appends one record for each example. Throws invalid_argument when a feature and a target have
  /// the same name, unavailable when the file cannot be written.
  void write(const Examples& examples);
  void write(const Dataset& dataset);
  /// Everything is in the file when it returns; nothing can be written any more. Throws
  /// unavailable.
  void close();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dtrain::inline v0
