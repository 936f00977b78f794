#include "strategy/train_state.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <span>
#include <vector>

#include "base/strings.h"
#include "dtrain/error.h"
#include "strategy/sums_codec.h"

namespace dtrain::inline v0::strategy {
namespace {

constexpr std::size_t kPositionWords = 5;
constexpr const char* kPosition = "fit/position";
constexpr const char* kSums = "fit/sums";
constexpr const char* kWorkers = "fit/workers";
constexpr const char* kModelSeed = "model/seed";
constexpr const char* kMetrics = "fit/metrics";
constexpr const char* kLearningRate = "fit/learning_rate";

/// What must be the same for a position within an epoch to mean the same.
struct Setting {
  const char* tensor;
  const char* option;
  std::int64_t value;
};

std::array<Setting, 6> settings_of(const DataState& data) {
  const data::BatchPlanOptions& plan = data.plan;
  const bool global = plan.scope == data::BatchScope::kGlobal;
  return {{{"fit/batch_size", "FitOptions::batch_size", static_cast<std::int64_t>(plan.batch_size)},
           {"fit/examples", "the number of examples", static_cast<std::int64_t>(plan.examples)},
           {"fit/shuffle", "FitOptions::shuffle", plan.shuffle ? 1 : 0},
           {"fit/seed", "FitOptions::seed", std::bit_cast<std::int64_t>(plan.seed)},
           {"fit/global_batches", "whether batch_size counts all workers' examples (synchronous)",
            global ? 1 : 0},
           {"fit/steps_per_epoch", "FitOptions::steps_per_epoch", data.steps_per_epoch}}};
}

std::array<std::int64_t, kPositionWords> position_of(const TrainState& state) {
  return {state.model_steps, state.steps, state.epoch, state.step_in_epoch, state.stopped ? 1 : 0};
}

TrainState from_position(std::span<const std::int64_t> words) {
  return {.model_steps = words[0],
          .steps = words[1],
          .epoch = words[2],
          .step_in_epoch = words[3],
          .stopped = words[4] != 0};
}

/// Whether there is a rate, and its bits.
constexpr std::size_t kRateWords = 2;
std::array<std::int64_t, kRateWords> rate_words(const TrainState& state) {
  return {state.learning_rate ? 1 : 0,
          std::bit_cast<std::int64_t>(state.learning_rate.value_or(0.0))};
}
std::optional<double> rate_from(std::int64_t given, std::int64_t rate) {
  return given == 0 ? std::nullopt : std::optional(std::bit_cast<double>(rate));
}

bool is_sane(const TrainState& state) {
  constexpr std::int64_t kMax = std::int64_t{1} << 62;
  for (const std::int64_t word : position_of(state)) {
    if (word < 0 || word > kMax) return false;
  }
  const double rate = state.learning_rate.value_or(0.0);
  return state.steps <= state.model_steps && state.epoch < INT32_MAX && rate >= 0.0 &&
         std::isfinite(rate);
}

/// Warns, or throws where the position would mean something else.
void check_settings(const checkpoint::Reader& reader, const TrainState& state,
                    const DataState& data, const observe::Logger& logger) {
  for (const Setting& setting : settings_of(data)) {
    if (!reader.find(setting.tensor) && setting.value == 0) continue;  // older than the option
    const std::int64_t saved = checkpoint::read_integer(reader, setting.tensor);
    if (saved == setting.value) continue;
    const std::string what =
        base::str_cat("\"", reader.path(), "\" was saved with another value of ", setting.option,
                      ": ", saved, ", and not ", setting.value);
    if (state.step_in_epoch > 0) {
      throw Error(ErrorCode::kFailedPrecondition,
                  base::str_cat(what, ", after step ", state.step_in_epoch, " of epoch ",
                                state.epoch + 1, ", which has other batches now"),
                  "Give the same value, or resume from a checkpoint at the end of an epoch, or "
                  "start anew with .checkpoint = {.resume = false}");
    }
    logger.warning(what, "; the next epoch begins with the new one");
  }
  const std::int64_t seed = checkpoint::read_integer(reader, kModelSeed);
  if (std::bit_cast<std::uint64_t>(seed) == data.model_seed) return;
  logger.warning("\"", reader.path(), "\" was saved with another BuildOptions::seed: ", seed,
                 "; dropout goes on with ", data.model_seed);
}

/// As many words as the metrics of that training have.
model::Sums restore_sums(const checkpoint::Reader& reader) {
  const checkpoint::TensorInfo* info = reader.find(kSums);
  const std::size_t count = info ? checkpoint::element_count(*info) : 0;
  const auto words = checkpoint::read_integers(reader, kSums, count);
  std::string bytes(words.size() * sizeof(std::int64_t), '\0');
  std::memcpy(bytes.data(), words.data(), bytes.size());
  try {
    return merge({bytes});
  } catch (const Error&) {
    throw Error(ErrorCode::kDataLoss,
                base::str_cat("\"", reader.path(), "\" has a \"", kSums, "\" that cannot be"),
                "Delete it, so that the one before it is used");
  }
}

}  // namespace

std::string encode(const TrainState& state) {
  const auto words = position_of(state);
  const auto rate = rate_words(state);
  std::string bytes(sizeof(words) + sizeof(rate), '\0');
  std::memcpy(bytes.data(), words.data(), sizeof(words));
  std::memcpy(bytes.data() + sizeof(words), rate.data(), sizeof(rate));
  return bytes + encode(state.sums);
}

TrainState decode_train_state(std::string_view bytes) {
  std::array<std::int64_t, kPositionWords + kRateWords> words{};
  if (bytes.size() < sizeof(words)) {
    throw Error(ErrorCode::kProtocol,
                base::str_cat("the chief sent ", bytes.size(), " bytes as the training's position"),
                "Run the same version of dtrain everywhere");
  }
  std::memcpy(words.data(), bytes.data(), sizeof(words));
  TrainState state = from_position(words);
  state.learning_rate = rate_from(words[kPositionWords], words[kPositionWords + 1]);
  state.sums = merge({std::string(bytes.substr(sizeof(words)))});
  if (!is_sane(state))
    throw Error(ErrorCode::kProtocol, "the chief sent a position that cannot be");
  return state;
}

void save_train_state(checkpoint::Writer& writer, const TrainState& state, const DataState& data) {
  checkpoint::write_integer(writer, "step", state.model_steps);
  checkpoint::write_integers(writer, kPosition, position_of(state), {kPositionWords});
  checkpoint::write_integers(writer, kLearningRate, rate_words(state), {kRateWords});
  const std::string sums = encode(state.sums);
  std::vector<std::int64_t> words(sums.size() / sizeof(std::int64_t));
  std::memcpy(words.data(), sums.data(), sums.size());
  checkpoint::write_integers(writer, kSums, words, {static_cast<std::int64_t>(words.size())});
  for (const Setting& setting : settings_of(data)) {
    checkpoint::write_integer(writer, setting.tensor, setting.value);
  }
  checkpoint::write_integer(writer, kWorkers, data.plan.workers);
  checkpoint::write_text(writer, kMetrics, data.metrics);
  checkpoint::write_integer(writer, kModelSeed, std::bit_cast<std::int64_t>(data.model_seed));
}

TrainState restore_train_state(const checkpoint::Reader& reader, const DataState& data,
                               const observe::Logger& logger) {
  TrainState state = from_position(checkpoint::read_integers(reader, kPosition, kPositionWords));
  state.sums = restore_sums(reader);
  if (reader.find(kLearningRate)) {  // older ones have none
    const auto rate = checkpoint::read_integers(reader, kLearningRate, kRateWords);
    state.learning_rate = rate_from(rate[0], rate[1]);
  }
  if (!is_sane(state)) {
    throw Error(ErrorCode::kDataLoss,
                base::str_cat("\"", reader.path(), "\" has a \"", kPosition, "\" that cannot be"),
                "Delete it, so that the one before it is used");
  }
  check_settings(reader, state, data, logger);
  const std::string metrics = reader.find(kMetrics) ? reader.read_text(kMetrics) : std::string();
  if (metrics != data.metrics) {
    if (state.step_in_epoch > 0) {
      logger.warning("\"", reader.path(), "\" was saved with other metrics (", metrics,
                     "): what epoch ", state.epoch + 1, " shows is of its rest alone");
    }
    state.sums = {};
  }
  const std::int64_t workers = checkpoint::read_integer(reader, kWorkers);
  const bool own_batches = data.plan.scope == data::BatchScope::kWorker;
  if (own_batches && workers != data.plan.workers && state.step_in_epoch > 0) {
    logger.warning("\"", reader.path(), "\" was saved with ", workers, " workers, and there are ",
                   data.plan.workers, ": epoch ", state.epoch + 1, " begins anew");
    state.step_in_epoch = 0;
    state.sums = {};
  }
  return state;
}

}  // namespace dtrain::inline v0::strategy
