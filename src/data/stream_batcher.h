#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "data/match.h"
#include "dtrain/pipeline.h"
#include "tensor/view.h"

namespace dtrain::inline v0::data {

/// The pieces of a stream as a model's batches, without a copy. Confined to one thread at a time.
class StreamBatcher {
 public:
  /// Batches have the features and targets that `names` asks for (match.h), in its order. Examples
  /// are numbered from `first_index` in steps of `index_step`: the worker's rank and the number of
  /// workers keep the random numbers of dropout apart.
  StreamBatcher(ExampleStream stream, ModelNames names, std::uint64_t first_index = 0,
                std::uint64_t index_step = 1);

  /// The stream's next piece; null at its end. Valid until the next call. Throws what the stream
  /// throws, and invalid_argument where names do not match.
  const tensor::Batch* next();

 private:
  void start(const Examples& examples);

  ExampleStream stream_;
  const ModelNames names_;
  std::uint64_t next_index_;
  const std::uint64_t index_step_;
  std::vector<std::size_t> inputs_;   // Which feature each is.
  std::vector<std::size_t> targets_;  // Which target each is.
  std::vector<std::uint64_t> indices_;
  tensor::Batch batch_;
};

}  // namespace dtrain::inline v0::data
