#include "strategy/callbacks.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "dtrain/dtrain.h"
#include "strategy/cluster_harness.h"
#include "support/temporary_folder.h"

namespace dtrain::inline v0::strategy {
namespace {

/// A fit() that does nothing.
class FakeSession final : public FitSession {
 public:
  Model& model() override { throw Error(ErrorCode::kInternal, "there is no model"); }
  bool is_chief() const override { return chief; }
  void stop() override { stopped = true; }
  double learning_rate() const override { return rate; }
  void set_learning_rate(double to) override { rate = to; }
  void keep_variables() override { ++kept; }
  void restore_variables() override { ++restored; }
  std::vector<std::string> log_names() const override { return {"loss", "auc", "val_loss"}; }
  std::optional<bool> rises(std::string_view name) const override {
    if (name == "auc") return true;
    return name.ends_with("loss") ? std::optional(false) : std::nullopt;
  }
  void say(const std::string& /*text*/) override {}

  bool chief = true;
  bool stopped = false;
  double rate = 0.1;
  int kept = 0;
  int restored = 0;
};

/// The epochs that a training has whose monitored values are these.
int epochs_until_stop(const EarlyStopping& options, const std::vector<double>& values,
                      FakeSession* session = nullptr) {
  FakeSession own;
  if (!session) session = &own;
  const auto callback = make_callback(options);
  callback->on_train_begin(*session);
  int epoch = 0;
  while (epoch < static_cast<int>(values.size()) && !session->stopped) {
    Logs logs{{options.monitor, values[static_cast<std::size_t>(epoch)]}};
    callback->on_epoch_end(*session, epoch++, logs);
  }
  callback->on_train_end(*session);
  return epoch;
}

// The expected numbers of epochs are what Keras 3.15 gives for the same values.
TEST(EarlyStopping, EndsWhenNothingGetsBetterForPatienceEpochs) {
  EXPECT_EQ(epochs_until_stop({.patience = 2}, {1.0, 0.8, 0.9, 0.85, 0.7}), 4);
  EXPECT_EQ(epochs_until_stop({}, {1.0, 1.0, 0.5}), 2);
  EXPECT_EQ(epochs_until_stop({.patience = 1}, {1.0, 0.9, 0.8, 0.7}), 4);
  EXPECT_EQ(epochs_until_stop({.min_delta = 0.1, .patience = 1}, {1.0, 0.95, 0.5}), 2);
  EXPECT_EQ(epochs_until_stop({.min_delta = -0.1, .patience = 1}, {1.0, 0.95, 0.5}), 2);
  EXPECT_EQ(epochs_until_stop({.patience = 1, .start_from_epoch = 2}, {0.1, 0.2, 0.3, 0.4, 0.5}),
            4);
}

TEST(EarlyStopping, KnowsWhatIsToRise) {
  EXPECT_EQ(epochs_until_stop({.monitor = "auc", .patience = 1}, {0.5, 0.6, 0.7, 0.6, 0.9}), 4);
  EXPECT_EQ(epochs_until_stop({.monitor = "auc", .patience = 1, .mode = MonitorMode::kMin},
                              {0.5, 0.6, 0.7}),
            2);
}

TEST(EarlyStopping, ABaselineMustBeBeatenForPatienceToBeginAnew) {
  EXPECT_EQ(epochs_until_stop({.patience = 2, .baseline = 0.5}, {0.9, 0.8, 0.7, 0.75, 0.1}), 4);
  EXPECT_EQ(epochs_until_stop({.patience = 2, .baseline = 0.5}, {0.9, 0.4, 0.6, 0.7, 0.1}), 4);
}

TEST(EarlyStopping, RestoresTheBestVariablesEvenWhenItHasNotStopped) {
  FakeSession session;
  epochs_until_stop({.patience = 5, .restore_best_weights = true}, {1.0, 0.8, 0.9, 0.7}, &session);
  EXPECT_FALSE(session.stopped);
  EXPECT_EQ(session.kept, 3);
  EXPECT_EQ(session.restored, 1);
  FakeSession none;
  epochs_until_stop({.patience = 1}, {1.0, 2.0}, &none);
  EXPECT_EQ(none.kept + none.restored, 0);
}

std::vector<double> rates(const ReduceLrOnPlateau& options, const std::vector<double>& values) {
  FakeSession session;
  const auto callback = make_callback(options);
  callback->on_train_begin(session);
  std::vector<double> rates;
  for (std::size_t epoch = 0; epoch < values.size(); ++epoch) {
    Logs logs{{options.monitor, values[epoch]}};
    callback->on_epoch_end(session, static_cast<int>(epoch), logs);
    EXPECT_TRUE(logs.contains("learning_rate"));
    rates.push_back(session.rate);
  }
  return rates;
}

TEST(ReduceLrOnPlateau, MultipliesTheRateWhenNothingGetsBetter) {
  EXPECT_EQ(rates({.factor = 0.5, .patience = 2}, {1, 1, 1, 1, 1, 1}),
            (std::vector<double>{0.1, 0.1, 0.05, 0.05, 0.025, 0.025}));
  EXPECT_EQ(rates({.factor = 0.5, .patience = 2, .cooldown = 2}, {1, 1, 1, 1, 1, 1, 1}),
            (std::vector<double>{0.1, 0.1, 0.05, 0.05, 0.05, 0.025, 0.025}));
  EXPECT_EQ(rates({.factor = 0.5, .patience = 1, .min_lr = 0.04}, {1, 1, 1, 1}),
            (std::vector<double>{0.1, 0.05, 0.04, 0.04}));
  EXPECT_EQ(rates({.factor = 0.5, .patience = 1}, {1, 0.99995, 0.9}),
            (std::vector<double>{0.1, 0.05, 0.05}))
      << "a change below min_delta is none";
}

TEST(LearningRateScheduler, GetsTheEpochAndTheRateSoFar) {
  FakeSession session;
  const auto callback = make_callback(
      LearningRateScheduler{[](int epoch, double rate) { return epoch == 0 ? rate : rate / 2; }});
  std::vector<double> rates;
  for (int epoch = 0; epoch < 3; ++epoch) {
    callback->on_epoch_begin(session, epoch);
    Logs logs;
    callback->on_epoch_end(session, epoch, logs);
    rates.push_back(logs.at("learning_rate"));
  }
  EXPECT_EQ(rates, (std::vector<double>{0.1, 0.05, 0.025}));
}

std::string contents(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void log_epochs(const CsvLogger& options, int first, const std::vector<Logs>& epochs,
                bool chief = true) {
  FakeSession session;
  session.chief = chief;
  const auto callback = make_callback(options);
  callback->on_train_begin(session);
  for (Logs logs : epochs) callback->on_epoch_end(session, first++, logs);
  callback->on_train_end(session);
}

TEST(CsvLogger, WritesALinePerEpoch) {
  const support::TemporaryFolder folder;
  const std::string path = folder.file("log.csv");
  log_epochs({path}, 0, {{{"loss", 0.25}, {"accuracy", 0.1}}, {{"loss", 1e-9}}});
  EXPECT_EQ(contents(path),
            "epoch,accuracy,loss,val_accuracy,val_loss\n0,0.1,0.25,NA,NA\n1,NA,1e-09,NA,NA\n");
  log_epochs({path, ';'}, 0, {{{"val_loss", 1.0}, {"loss", 2.0}}});
  EXPECT_EQ(contents(path), "epoch;loss;val_loss\n0;2;1\n");
  log_epochs({.filename = path, .separator = ';', .append = true}, 1,
             {{{"val_loss", 3.0}, {"loss", 4.0}}});
  EXPECT_EQ(contents(path), "epoch;loss;val_loss\n0;2;1\n1;4;3\n");
  log_epochs({path}, 0, {{{"loss", 1.0}}}, /*chief=*/false);
  EXPECT_EQ(contents(path), "epoch;loss;val_loss\n0;2;1\n1;4;3\n");
}

TEST(Callbacks, MistakesHaveMessagesOfTheirOwn) {
  FakeSession session;
  const auto begin = [&](const AnyCallback& callback) {
    return error_of([&] { make_callback(callback)->on_train_begin(session); });
  };
  EXPECT_EQ(begin(EarlyStopping{.monitor = "val_auc"}),
            "[INVALID_ARGUMENT] EarlyStopping monitors \"val_auc\", which epochs do not have. Give "
            "fit() data for validation, or monitor auc.");
  EXPECT_EQ(begin(ReduceLrOnPlateau{.monitor = "los"}),
            "[INVALID_ARGUMENT] ReduceLrOnPlateau monitors \"los\", which epochs do not have. Did "
            "you mean \"loss\"? There are: loss, auc, val_loss.");
  EXPECT_EQ(begin(EarlyStopping{.patience = -1}),
            "[INVALID_ARGUMENT] EarlyStopping::patience is -1. Give 0 or more.");
  EXPECT_EQ(begin(ReduceLrOnPlateau{.factor = 1.0}),
            "[INVALID_ARGUMENT] ReduceLrOnPlateau::factor is 1. Give a number between 0 and 1.");
  EXPECT_EQ(begin(LearningRateScheduler{}),
            "[INVALID_ARGUMENT] LearningRateScheduler::schedule is empty. Give a function of the "
            "epoch and the rate so far.");
  EXPECT_EQ(begin(CsvLogger{}), "[INVALID_ARGUMENT] CsvLogger::filename is empty. Name a file.");
  EXPECT_NE(begin(CsvLogger{"/no/such/folder/log.csv"}).find("of CsvLogger cannot be opened"),
            std::string::npos);
  EXPECT_EQ(begin(std::shared_ptr<Callback>()),
            "[INVALID_ARGUMENT] a callback is a null pointer. Give std::make_shared<...>().");
}

}  // namespace
}  // namespace dtrain::inline v0::strategy
