#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "data/example.pb.h"
#include "data/record_reader.h"
#include "dtrain/examples.h"
#include "dtrain/tfrecord.h"

namespace dtrain::inline v0::data {

/// Turns serialized tf.Example messages into examples. Confined to one thread at a time.
class ExampleParser {
 public:
  /// Throws invalid_argument for options that are wrong.
  explicit ExampleParser(TfRecordOptions options);
  ExampleParser(const ExampleParser&) = delete;
  ExampleParser& operator=(const ExampleParser&) = delete;

  /// No examples, with the columns that add() appends to.
  Examples empty() const;
  /// Appends the example that the reader's last record holds. Throws invalid_argument that names
  /// the reader's place and the feature; `to` is then of no more use.
  void add(std::string_view record, const RecordReader& reader, Examples& to);

 private:
  /// What is looked for in each message.
  struct Wanted {
    TfRecordFeature feature;
    std::size_t width = 1;
    Column missing = {};  // `width` values, or none.
    const dtrain_pb::data::Feature* found = nullptr;
  };
  static constexpr std::size_t kNotWanted = static_cast<std::size_t>(-1);

  Wanted wanted(const TfRecordFeature& feature, bool is_target) const;
  std::size_t find(std::size_t place, const std::string& key);
  void append(const Wanted& wanted, const RecordReader& reader, Column& to) const;
  void append_weight(const Wanted& wanted, const RecordReader& reader,
                     std::vector<float>& weights) const;

  const TfRecordOptions options_;
  std::vector<Wanted> wanted_;  // The features', the targets', then the weight's.
  std::unordered_map<std::string, std::size_t> by_name_;
  // What stood where in the last message: messages of one file are mostly alike.
  std::vector<std::size_t> last_;
  dtrain_pb::data::Example message_;
};

}  // namespace dtrain::inline v0::data
