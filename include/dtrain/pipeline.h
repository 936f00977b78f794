#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "dtrain/csv.h"
#include "dtrain/dataset.h"
#include "dtrain/examples.h"
#include "dtrain/export.h"
#include "dtrain/tfrecord.h"

namespace dtrain::inline v0 {

namespace data {
class Stream;
struct Stage;
}  // namespace data

/// One pass through a pipeline, pulled piece by piece. Confined to one thread at a time; goes on
/// living when the pipeline is gone. Its end stops the threads of prefetch(), and waits for what
/// they are in.
class DTRAIN_EXPORT ExampleStream {
 public:
  explicit ExampleStream(std::unique_ptr<data::Stream> stream);
  ExampleStream(ExampleStream&&) noexcept;
  ExampleStream& operator=(ExampleStream&&) noexcept;
  ~ExampleStream();

  /// The next examples, at least one, valid until the next call; null at the end. How many they
  /// are is batch()'s business; without it, that of the source. Throws what reading them throws,
  /// on whatever thread that was; the stream is then at its end.
  const Examples* next();

 private:
  std::unique_ptr<data::Stream> stream_;
  Examples examples_;
};

/// Where examples come from and what is done to them on the way: a description, which does nothing
/// until stream() is called. Each function gives a new pipeline; they are applied in the order
/// written:
///
///   auto train = Pipeline::from_csv(shard_files(files, workers, rank), options)
///                    .shuffle(10000, seed).repeat(epochs).batch(256).prefetch(2);
///
/// Examples travel in pieces of any size. All pieces have the same columns; what does not is an
/// error. The same pipeline gives the same examples in the same order each time, if the callbacks
/// do. An immutable value, cheap to copy; thread-safe if the callbacks are.
class DTRAIN_EXPORT Pipeline {
 public:
  /// Fills `examples` with the next ones, and returns false when there are none any more. It finds
  /// the columns of the last call there, emptied; none in the first.
  using Generator = std::function<bool(Examples& examples)>;

  static Pipeline from_dataset(const Dataset& dataset);
  /// Reads the files one after the other, as Dataset::from_csv reads one. Throws invalid_argument
  /// without files. `memory_bytes_max` holds for what is read at once.
  static Pipeline from_csv(std::vector<std::string> files, const CsvOptions& options = {});
  /// The same of TFRecord files.
  static Pipeline from_tfrecord(std::vector<std::string> files, const TfRecordOptions& options);
  /// Calls `start` at the beginning of each pass, and what it returns until that has no more. What
  /// it gives is checked as Dataset::from_columns checks it.
  static Pipeline from_generator(std::function<Generator()> start);

  /// Every `workers`-th example, beginning with example `rank`. Before shuffle(). See shard_files
  /// for reading less.
  Pipeline shard(int workers, int rank) const;
  /// Has `change` change each piece of examples: their values, columns, and number too. Pieces have
  /// any size, so it treats each example alike.
  Pipeline map(std::function<void(Examples& examples)> change) const;
  /// Gives, again and again, one of `buffer` examples at random, and puts the next one into its
  /// place: an example comes up to `buffer` places too early, or as late as it happens. A buffer as
  /// large as the data gives every order alike. Each pass has an order of its own.
  Pipeline shuffle(std::size_t buffer, std::uint64_t seed) const;
  /// Pieces of `size` examples; the last has what is left, or is left out.
  Pipeline batch(std::size_t size, bool drop_remainder = false) const;
  /// So many passes one after the other; 0: without end.
  Pipeline repeat(std::uint64_t times = 0) const;
  /// Keeps the examples of the first pass that comes to its end, and gives those from then on.
  /// Throws resource_exhausted when they take more memory.
  Pipeline cache(std::uint64_t memory_bytes_max = std::uint64_t{8} << 30) const;
  /// Has a thread work on what comes before it, up to `pieces` pieces ahead.
  Pipeline prefetch(std::size_t pieces) const;

  /// A pass. `pass` decides the order that shuffle() gives, and with repeat() counts what it
  /// repeats: give the epoch. Throws what opening the source throws.
  ExampleStream stream(std::uint64_t pass = 0) const;
  /// The examples of pass 0 in memory. Throws invalid_argument when there are none,
  /// resource_exhausted when they take more memory.
  Dataset collect(std::uint64_t memory_bytes_max = std::uint64_t{8} << 30) const;

 private:
  explicit Pipeline(std::shared_ptr<const data::Stage> stage);

  std::shared_ptr<const data::Stage> stage_;
};

/// Every `workers`-th file, beginning with file `rank`: what one worker reads when each file is
/// read by one. Throws invalid_argument when a worker would have none.
DTRAIN_EXPORT std::vector<std::string> shard_files(const std::vector<std::string>& files,
                                                   int workers, int rank);

}  // namespace dtrain::inline v0
