#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dtrain/callbacks.h"
#include "dtrain/model.h"

namespace dtrain::inline v0::strategy {

/// Calls back during fit(), and makes one decision of what the workers' callbacks want: the
/// chief's. Every worker has one and calls it at the same places. Confined to fit()'s thread.
class CallbackRunner final : public FitSession {
 public:
  /// Borrows everything. `shows_validation`: logs have values of validation data. Throws
  /// invalid_argument for a callback's wrong field.
  CallbackRunner(Model& model, Model::Impl& impl, const FitOptions& options, bool shows_validation);

  void train_begin();
  /// Collective, like epoch_end() and train_end().
  void epoch_begin(int epoch);
  void batch_end(std::int64_t step);
  /// Callbacks may add to the logs. Returns whether the training ends.
  bool epoch_end(int epoch, Logs& logs);
  void train_end();

  /// The rate that callbacks have set, for a resumed training; empty: none.
  std::optional<double> set_rate() const { return set_rate_; }
  /// Collective.
  void restore_rate(std::optional<double> rate);
  /// The variables at the end are others than those of the last step.
  bool restored_variables() const { return restored_; }

  Model& model() override { return model_; }
  bool is_chief() const override;
  void stop() override { stop_ = true; }
  double learning_rate() const override;
  void set_learning_rate(double rate) override;
  void keep_variables() override;
  void restore_variables() override;
  std::vector<std::string> log_names() const override;
  std::optional<bool> rises(std::string_view name) const override;
  void say(const std::string& text) override;

 private:
  /// All workers take over what the chief's callbacks want.
  void agree();
  bool decides() const { return !callbacks_.empty() || on_epoch_end_; }

  Model& model_;
  Model::Impl& impl_;
  const FitOptions& options_;
  const bool shows_validation_;
  const bool on_epoch_end_;
  std::vector<std::shared_ptr<Callback>> callbacks_;
  bool may_set_rate_ = false;
  bool stop_ = false;
  bool restored_ = false;
  std::optional<double> wanted_rate_;  ///< Since the last agree().
  std::optional<double> set_rate_;
  std::vector<float> kept_;
};

}  // namespace dtrain::inline v0::strategy
