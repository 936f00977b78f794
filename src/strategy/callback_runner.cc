#include "strategy/callback_runner.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <variant>

#include "base/strings.h"
#include "dtrain/error.h"
#include "strategy/callbacks.h"
#include "strategy/evaluator.h"
#include "strategy/model_impl.h"

namespace dtrain::inline v0::strategy {
namespace {

/// What one worker's callbacks want, on its way to the others.
struct Wish {
  std::uint64_t stop = 0;
  std::uint64_t has_rate = 0;
  double rate = 0.0;
};

std::string encode(const Wish& wish) {
  std::string bytes(sizeof(wish), '\0');
  std::memcpy(bytes.data(), &wish, sizeof(wish));
  return bytes;
}

Wish decode(const std::string& bytes) {
  Wish wish;
  if (bytes.size() != sizeof(wish)) {
    throw Error(ErrorCode::kProtocol,
                base::str_cat("the chief sent ", bytes.size(), " bytes as what callbacks want"),
                "Run the same version of dtrain everywhere");
  }
  std::memcpy(&wish, bytes.data(), sizeof(wish));
  return wish;
}

}  // namespace

CallbackRunner::CallbackRunner(Model& model, Model::Impl& impl, const FitOptions& options,
                               bool shows_validation)
    : model_(model),
      impl_(impl),
      options_(options),
      shows_validation_(shows_validation),
      on_epoch_end_(static_cast<bool>(options.on_epoch_end)) {
  for (const AnyCallback& callback : options.callbacks) {
    callbacks_.push_back(make_callback(callback));
  }
}

void CallbackRunner::train_begin() {
  for (const auto& callback : callbacks_) callback->on_train_begin(*this);
}

void CallbackRunner::epoch_begin(int epoch) {
  if (callbacks_.empty()) return;
  may_set_rate_ = true;
  for (const auto& callback : callbacks_) callback->on_epoch_begin(*this, epoch);
  agree();
}

void CallbackRunner::batch_end(std::int64_t step) {
  if (options_.on_step_end) options_.on_step_end(step);
  for (const auto& callback : callbacks_) callback->on_batch_end(*this, step);
  if (wanted_rate_) agree();  // with one worker alone: set_learning_rate() has seen to that
}

bool CallbackRunner::epoch_end(int epoch, Logs& logs) {
  if (!decides()) return false;
  may_set_rate_ = true;
  for (const auto& callback : callbacks_) callback->on_epoch_end(*this, epoch, logs);
  if (on_epoch_end_ && options_.on_epoch_end(epoch, logs)) stop_ = true;
  agree();
  return stop_;
}

void CallbackRunner::train_end() {
  for (const auto& callback : callbacks_) callback->on_train_end(*this);
}

void CallbackRunner::agree() {
  may_set_rate_ = false;
  Exchange& exchange = impl_.exchange();
  const Wish mine{.stop = stop_ ? 1U : 0U,
                  .has_rate = wanted_rate_ ? 1U : 0U,
                  .rate = wanted_rate_.value_or(0.0)};
  // The chief's word counts, so that all stop at the same step and compute with the same rate.
  const Wish chiefs = decode(exchange.all_gather("fit/callbacks", encode(mine)).front());
  stop_ = chiefs.stop != 0;
  wanted_rate_.reset();
  if (chiefs.has_rate == 0) return;
  if (chiefs.rate != learning_rate()) exchange.set_learning_rate(static_cast<float>(chiefs.rate));
  set_rate_ = chiefs.rate;
}

void CallbackRunner::restore_rate(std::optional<double> rate) {
  if (!rate) return;
  impl_.exchange().set_learning_rate(static_cast<float>(*rate));
  set_rate_ = rate;
}

bool CallbackRunner::is_chief() const { return impl_.exchange().rank() == 0; }

double CallbackRunner::learning_rate() const {
  if (wanted_rate_) return *wanted_rate_;
  return impl_.exchange().learning_rate().at(impl_.steps);
}

void CallbackRunner::set_learning_rate(double rate) {
  if (!(rate >= 0.0 && std::isfinite(rate))) {
    throw Error(ErrorCode::kInvalidArgument,
                base::str_cat("a callback sets the learning rate to ", rate),
                "Give a finite number, at least 0");
  }
  if (!std::holds_alternative<float>(impl_.exchange().learning_rate().kind())) {
    throw Error(ErrorCode::kFailedPrecondition,
                base::str_cat("a callback sets the learning rate, but the optimizer follows ",
                              to_string(impl_.exchange().learning_rate())),
                "Compile with a constant rate, or leave the rate to the schedule");
  }
  if (!may_set_rate_ && impl_.exchange().workers() > 1) {
    throw Error(ErrorCode::kFailedPrecondition,
                "a callback sets the learning rate within an epoch, but there are several workers",
                "Set it in on_epoch_begin() or on_epoch_end(), where they all meet");
  }
  wanted_rate_ = static_cast<double>(static_cast<float>(rate));
}

void CallbackRunner::keep_variables() {
  if (const auto& tables = impl_.network().row_tables(); !tables.empty()) {
    throw Error(ErrorCode::kUnimplemented,
                base::str_cat("variables cannot be kept: \"", tables.front().name,
                              "\" is a table of rows on the parameter servers"),
                "Save checkpoints instead (FitOptions::checkpoint_dir)");
  }
  if (!is_chief()) return;
  const auto values = impl_.arenas().values.span();
  kept_.assign(values.begin(), values.end());
}

void CallbackRunner::restore_variables() {
  if (is_chief()) {
    if (kept_.empty()) {
      throw Error(ErrorCode::kFailedPrecondition, "no variables have been kept",
                  "Call keep_variables() first");
    }
    std::ranges::copy(kept_, impl_.arenas().values.span().begin());
  }
  impl_.exchange().share_values();
  restored_ = true;
}

std::vector<std::string> CallbackRunner::log_names() const {
  std::vector<std::string> names;
  for (const char* prefix : {"", "val_"}) {
    if (*prefix != '\0' && !shows_validation_) continue;
    for (const auto& [name, value] : to_logs({}, impl_.network().objectives(), prefix)) {
      names.push_back(name);
    }
  }
  return names;
}

std::optional<bool> CallbackRunner::rises(std::string_view name) const {
  const std::string_view plain = name.starts_with("val_") ? name.substr(4) : name;
  return impl_.network().objectives().rises(plain);
}

void CallbackRunner::say(const std::string& text) {
  if (is_chief()) impl_.exchange().logger().info(text);
}

}  // namespace dtrain::inline v0::strategy
