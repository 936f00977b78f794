#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "dtrain/alternative.h"
#include "dtrain/export.h"
#include "dtrain/logs.h"

namespace dtrain::inline v0 {

class Model;

/// A fit() under way, as callbacks see it. Every worker runs its callbacks; where they decide
/// something, the chief's decision counts for all, from the next epoch on. Confined to fit()'s
/// thread, and gone after on_train_end().
class DTRAIN_EXPORT FitSession {
 public:
  virtual ~FitSession();

  virtual Model& model() = 0;
  virtual bool is_chief() const = 0;
  /// Ends the training after this epoch.
  virtual void stop() = 0;

  /// Of the next update.
  virtual double learning_rate() const = 0;
  /// From the next update on, on every server; the optimizer's state stays. In
  /// Callback::on_epoch_begin() and on_epoch_end() only, elsewhere only with one worker. Throws
  /// failed_precondition elsewhere and for an optimizer that follows a schedule, and
  /// invalid_argument for what is no rate.
  virtual void set_learning_rate(double rate) = 0;

  /// Keeps a copy of all variables as they are now, instead of the last such copy. Throws
  /// unimplemented where a table of rows is on servers.
  virtual void keep_variables() = 0;
  /// Puts back what the chief has kept. Collective: all workers call it, in on_train_end().
  virtual void restore_variables() = 0;

  /// What logs of an epoch have: "loss", "accuracy", "val_loss", ...
  virtual std::vector<std::string> log_names() const = 0;
  /// Whether the value of this name rises as a model gets better; empty: unknown.
  virtual std::optional<bool> rises(std::string_view name) const = 0;
  /// Into the program's log, at the chief.
  virtual void say(const std::string& text) = 0;
};

/// What a program does of its own while fit() runs: derive from it and override what matters
/// (keras.callbacks.Callback).
class DTRAIN_EXPORT Callback {
 public:
  virtual ~Callback();

  virtual void on_train_begin(FitSession& /*session*/) {}
  /// Before the first batch of an epoch, counted from 0.
  virtual void on_epoch_begin(FitSession& /*session*/, int /*epoch*/) {}
  /// After each update of this worker with its number (from 1).
  virtual void on_batch_end(FitSession& /*session*/, std::int64_t /*step*/) {}
  /// With the values merged over all workers; what is added to them is shown too, and later
  /// callbacks see it.
  virtual void on_epoch_end(FitSession& /*session*/, int /*epoch*/, Logs& /*logs*/) {}
  virtual void on_train_end(FitSession& /*session*/) {}
};

enum class MonitorMode {
  kAuto,  ///< As the metric is: accuracies rise, losses and errors fall.
  kMin,   ///< Less is better.
  kMax,   ///< More is better.
};

/// Ends the training once a value has not become better for a while.
struct EarlyStopping {
  std::string monitor = "val_loss";
  double min_delta = 0.0;  ///< A change below it is none.
  int patience = 0;        ///< So many epochs without a better value end it.
  MonitorMode mode = MonitorMode::kAuto;
  /// Epochs count as better only when the value is also better than this one.
  std::optional<double> baseline = {};
  /// Ends with the variables of the best epoch instead of the last.
  bool restore_best_weights = false;
  int start_from_epoch = 0;  ///< Earlier epochs do not count.
};

/// Multiplies the learning rate by `factor` once a value has not become better for a while.
struct ReduceLrOnPlateau {
  std::string monitor = "val_loss";
  double factor = 0.1;  ///< In (0, 1).
  int patience = 10;
  MonitorMode mode = MonitorMode::kAuto;
  double min_delta = 1e-4;
  int cooldown = 0;  ///< Epochs after a reduction that do not count.
  double min_lr = 0.0;
};

/// The learning rate of each epoch, from its number (from 0) and the rate so far.
struct LearningRateScheduler {
  std::function<double(int epoch, double learning_rate)> schedule = {};
};

/// Writes each epoch's values as a line of a CSV file, at the chief.
struct CsvLogger {
  std::string filename = {};
  char separator = ',';
  bool append = false;  ///< Behind what the file has; otherwise it is overwritten.
};

using CallbackKind = std::variant<EarlyStopping, ReduceLrOnPlateau, LearningRateScheduler,
                                  CsvLogger, std::shared_ptr<Callback>>;

/// One of Keras's callbacks above, or a shared pointer to one's own.
class AnyCallback : public CallbackKind {
 public:
  template <AlternativeOf<CallbackKind> Kind>
  AnyCallback(Kind kind) : CallbackKind(std::move(kind)) {}  // NOLINT(google-explicit-constructor)
  template <std::derived_from<Callback> Own>
  AnyCallback(std::shared_ptr<Own> own)  // NOLINT(google-explicit-constructor)
      : CallbackKind(std::shared_ptr<Callback>(std::move(own))) {}
};

}  // namespace dtrain::inline v0
