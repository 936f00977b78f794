#include "ps/row_table_codec.h"

#include <limits>
#include <optional>

#include "base/strings.h"
#include "dtrain/error.h"
#include "tensor/initializer.h"
#include "tensor/layout.h"

namespace dtrain::inline v0::ps {

namespace pb = ::dtrain_pb::ps;

namespace {

struct InitializerWriter {
  pb::Initializer& message;

  void operator()(const Zeros& /*kind*/) const {}
  void operator()(const Ones& /*kind*/) const {}
  void operator()(const Constant& kind) const { message.set_first(kind.value); }
  void operator()(const RandomUniform& kind) const {
    numbers(kind.minval, kind.maxval);
    seed(kind.seed);
  }
  void operator()(const RandomNormal& kind) const {
    numbers(kind.mean, kind.stddev);
    seed(kind.seed);
  }
  void operator()(const TruncatedNormal& kind) const {
    numbers(kind.mean, kind.stddev);
    seed(kind.seed);
  }
  void operator()(const VarianceScaling& kind) const {
    message.set_first(kind.scale);
    message.set_mode(static_cast<std::uint32_t>(kind.mode));
    message.set_distribution(static_cast<std::uint32_t>(kind.distribution));
    seed(kind.seed);
  }
  void operator()(const Orthogonal& kind) const {
    message.set_first(kind.gain);
    seed(kind.seed);
  }
  void operator()(const Identity& kind) const { message.set_first(kind.gain); }
  /// Glorot's, He's and Lecun's: a seed and nothing else.
  template <typename Scaled>
  void operator()(const Scaled& kind) const {
    seed(kind.seed);
  }

  void numbers(float first, float second) const {
    message.set_first(first);
    message.set_second(second);
  }
  void seed(const std::optional<std::uint64_t>& own) const {
    if (own) message.set_seed(*own);
  }
};

struct InitializerReader {
  const pb::Initializer& message;

  void operator()(Zeros& /*kind*/) const {}
  void operator()(Ones& /*kind*/) const {}
  void operator()(Constant& kind) const { kind.value = message.first(); }
  void operator()(RandomUniform& kind) const {
    kind = {.minval = message.first(), .maxval = message.second(), .seed = seed()};
  }
  void operator()(RandomNormal& kind) const {
    kind = {.mean = message.first(), .stddev = message.second(), .seed = seed()};
  }
  void operator()(TruncatedNormal& kind) const {
    kind = {.mean = message.first(), .stddev = message.second(), .seed = seed()};
  }
  void operator()(VarianceScaling& kind) const {
    if (message.mode() > static_cast<std::uint32_t>(FanMode::kFanAvg) ||
        message.distribution() > static_cast<std::uint32_t>(ScaledDistribution::kUniform)) {
      throw Error(ErrorCode::kProtocol,
                  "the declared VarianceScaling of a row table is unknown to this version");
    }
    kind = {.scale = message.first(),
            .mode = static_cast<FanMode>(message.mode()),
            .distribution = static_cast<ScaledDistribution>(message.distribution()),
            .seed = seed()};
  }
  void operator()(Orthogonal& kind) const { kind = {.gain = message.first(), .seed = seed()}; }
  void operator()(Identity& kind) const { kind.gain = message.first(); }
  template <typename Scaled>
  void operator()(Scaled& kind) const {
    kind.seed = seed();
  }

  std::optional<std::uint64_t> seed() const {
    return message.has_seed() ? std::optional(message.seed()) : std::nullopt;
  }
};

/// The alternative with this index, with its defaults.
template <std::size_t kIndex = 0>
Initializer initializer_of(std::size_t index) {
  if constexpr (kIndex == std::variant_size_v<InitializerKind>) {
    throw Error(ErrorCode::kProtocol,
                "the declared initializer of a row table is unknown to this version");
  } else {
    if (index == kIndex) return std::variant_alternative_t<kIndex, InitializerKind>();
    return initializer_of<kIndex + 1>(index);
  }
}

Initializer decode(const pb::Initializer& message) {
  Initializer initializer = initializer_of(message.kind());
  std::visit(InitializerReader{message}, initializer);
  return initializer;
}

RowUpdates decode(pb::RowTable::Updates updates) {
  if (updates == pb::RowTable::LAZY) return RowUpdates::kLazy;
  if (updates == pb::RowTable::DENSE) return RowUpdates::kDense;
  throw Error(ErrorCode::kProtocol, "the declared row updates are unknown to this version");
}

std::int64_t size_of(std::uint64_t size) {
  constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (size <= kMax) return static_cast<std::int64_t>(size);
  throw Error(ErrorCode::kProtocol, base::str_cat("a row table with a size of ", size));
}

}  // namespace

void encode(const RowTable& table, pb::RowTable& message) {
  message.set_name(table.name);
  message.set_rows(static_cast<std::uint64_t>(table.rows));
  message.set_width(static_cast<std::uint64_t>(table.width));
  message.set_updates(table.updates == RowUpdates::kDense ? pb::RowTable::DENSE
                                                          : pb::RowTable::LAZY);
  message.set_seed(table.seed);
  pb::Initializer& initializer = *message.mutable_initializer();
  initializer.set_kind(static_cast<std::uint32_t>(table.initializer.index()));
  std::visit(InitializerWriter{initializer}, table.initializer);
}

RowTable decode(const pb::RowTable& message) {
  return {.name = message.name(),
          .rows = size_of(message.rows()),
          .width = size_of(message.width()),
          .initializer = decode(message.initializer()),
          .updates = decode(message.updates()),
          .seed = message.seed()};
}

void validate(const RowTable& table, std::size_t chunk_elements) {
  const std::string where = base::str_cat("row table \"", table.name, "\": ");
  if (table.rows < 1 || table.width < 1) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat(where, "it has ", table.rows, " rows of ", table.width, " elements"),
                "Give it at least one row of one element");
  }
  try {
    tensor::element_count({table.rows, table.width});
  } catch (const Error&) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat(where, table.rows, " rows of ", table.width,
                              " elements are more than memory can address"),
                "Use fewer of them");
  }
  if (static_cast<std::size_t>(table.width) > chunk_elements) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat(where, "a row of ", table.width,
                              " elements does not fit into a chunk of ", chunk_elements),
                "Raise chunk_bytes");
  }
  if (std::holds_alternative<Orthogonal>(table.initializer)) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat(where, "Orthogonal needs all rows at once, and servers have parts"),
                "Choose another initializer");
  }
  tensor::validate(table.initializer, where);
}

std::string describe(const pb::RowTable& message) {
  return base::str_cat("\"", message.name(), "\" (", message.rows(), ", ", message.width(), "), ",
                       message.updates() == pb::RowTable::DENSE ? "dense" : "lazy", " updates");
}

}  // namespace dtrain::inline v0::ps
