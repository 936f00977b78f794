// Keras's callbacks (keras.callbacks), with its order of decisions.
#include "strategy/callbacks.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <variant>

#include "base/refuse.h"
#include "base/strings.h"
#include "strategy/csv_log.h"
#include "strategy/monitor.h"

namespace dtrain::inline v0::strategy {
namespace {

using base::refuse;

void check_at_least_0(const char* field, int value) {
  if (value < 0) refuse(base::str_cat(field, " is ", value), "Give 0 or more");
}

class EarlyStopper final : public Callback {
 public:
  explicit EarlyStopper(const EarlyStopping& options)
      : options_(options),
        monitor_("EarlyStopping", options.monitor, options.mode, options.min_delta) {
    check_at_least_0("EarlyStopping::patience", options.patience);
    check_at_least_0("EarlyStopping::start_from_epoch", options.start_from_epoch);
  }

  void on_train_begin(FitSession& session) override {
    monitor_.begin(session);
    waited_ = 0;
    best_.reset();
    kept_ = false;
  }

  void on_epoch_end(FitSession& session, int epoch, Logs& logs) override {
    const std::optional<double> now = monitor_.value(logs);
    if (!now || epoch < options_.start_from_epoch) return;
    ++waited_;
    const bool better = monitor_.better(*now, best_);
    // The first epoch is the best so far, even if its value is not a number.
    if (options_.restore_best_weights && (better || !kept_)) {
      session.keep_variables();
      kept_ = true;
    }
    if (better) {
      best_ = now;
      if (!options_.baseline || monitor_.better(*now, options_.baseline)) waited_ = 0;
      return;
    }
    if (waited_ >= options_.patience && epoch > 0) {
      session.stop();
      session.say(base::str_cat("early stopping after epoch ", epoch + 1, ": ", options_.monitor,
                                " was best with ", *best_));
    }
  }

  void on_train_end(FitSession& session) override {
    if (kept_) session.restore_variables();
  }

 private:
  const EarlyStopping options_;
  Monitor monitor_;
  int waited_ = 0;
  std::optional<double> best_;
  bool kept_ = false;
};

class PlateauReducer final : public Callback {
 public:
  explicit PlateauReducer(const ReduceLrOnPlateau& options)
      : options_(options),
        monitor_("ReduceLrOnPlateau", options.monitor, options.mode, options.min_delta) {
    if (!(options.factor > 0.0 && options.factor < 1.0)) {
      refuse(base::str_cat("ReduceLrOnPlateau::factor is ", options.factor),
             "Give a number between 0 and 1");
    }
    if (!(options.min_lr >= 0.0 && std::isfinite(options.min_lr))) {
      refuse(base::str_cat("ReduceLrOnPlateau::min_lr is ", options.min_lr), "Give 0 or more");
    }
    check_at_least_0("ReduceLrOnPlateau::patience", options.patience);
    check_at_least_0("ReduceLrOnPlateau::cooldown", options.cooldown);
  }

  void on_train_begin(FitSession& session) override {
    monitor_.begin(session);
    best_.reset();
    cooldown_ = 0;
    waited_ = 0;
  }

  void on_epoch_end(FitSession& session, int epoch, Logs& logs) override {
    logs["learning_rate"] = session.learning_rate();
    const std::optional<double> now = monitor_.value(logs);
    if (!now) return;
    if (cooldown_ > 0) {
      --cooldown_;
      waited_ = 0;
    }
    if (monitor_.better(*now, best_)) {
      best_ = now;
      waited_ = 0;
    } else if (cooldown_ == 0 && ++waited_ >= options_.patience) {
      reduce(session, epoch);
    }
  }

 private:
  void reduce(FitSession& session, int epoch) {
    const double before = session.learning_rate();
    if (before <= static_cast<double>(static_cast<float>(options_.min_lr))) return;
    const double rate = std::max(before * options_.factor, options_.min_lr);
    session.set_learning_rate(rate);
    session.say(base::str_cat("learning rate ", rate, " after epoch ", epoch + 1, ": ",
                              options_.monitor, " was best with ", *best_));
    cooldown_ = options_.cooldown;
    waited_ = 0;
  }

  const ReduceLrOnPlateau options_;
  Monitor monitor_;
  std::optional<double> best_;
  int cooldown_ = 0;  ///< Epochs left of it.
  int waited_ = 0;
};

class RateScheduler final : public Callback {
 public:
  explicit RateScheduler(LearningRateScheduler options) : options_(std::move(options)) {
    if (!options_.schedule) {
      refuse("LearningRateScheduler::schedule is empty",
             "Give a function of the epoch and the rate so far");
    }
  }

  void on_epoch_begin(FitSession& session, int epoch) override {
    session.set_learning_rate(options_.schedule(epoch, session.learning_rate()));
  }
  void on_epoch_end(FitSession& session, int /*epoch*/, Logs& logs) override {
    logs["learning_rate"] = session.learning_rate();
  }

 private:
  const LearningRateScheduler options_;
};

struct MakeCallback {
  std::shared_ptr<Callback> operator()(const EarlyStopping& options) const {
    return std::make_shared<EarlyStopper>(options);
  }
  std::shared_ptr<Callback> operator()(const ReduceLrOnPlateau& options) const {
    return std::make_shared<PlateauReducer>(options);
  }
  std::shared_ptr<Callback> operator()(const LearningRateScheduler& options) const {
    return std::make_shared<RateScheduler>(options);
  }
  std::shared_ptr<Callback> operator()(const CsvLogger& options) const {
    return make_csv_log(options);
  }
  std::shared_ptr<Callback> operator()(const std::shared_ptr<Callback>& own) const {
    if (!own) refuse("a callback is a null pointer", "Give std::make_shared<...>()");
    return own;
  }
};

}  // namespace

std::shared_ptr<Callback> make_callback(const AnyCallback& callback) {
  return std::visit(MakeCallback(), callback);
}

}  // namespace dtrain::inline v0::strategy

namespace dtrain::inline v0 {

FitSession::~FitSession() = default;
Callback::~Callback() = default;

}  // namespace dtrain::inline v0
