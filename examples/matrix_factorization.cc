// Recommends by matrix factorisation: a row of numbers for each user and each item, whose product
// is the rating. Takes a CSV file with the columns user, item and rating; ids are any 64-bit
// integers and are numbered in the order in which they appear.
//
//   matrix_factorization RATINGS.csv [--rank N] [--epochs N] [--batch N] [--learning_rate X]
//                        [--updates lazy|dense] [--test_every N]
//
// Alone it trains on arrays of its own. In a cluster the two tables are rows on the parameter
// servers, and a worker holds those of its batch:
//   dtrain launch --workers 2 --ps 2 -- build/release/examples/matrix_factorization ratings.csv
// With `dense` updates both train alike.
#include <dtrain/dtrain.h>

#include <cmath>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

namespace {

using Keys = std::vector<std::uint64_t>;
using Rows = std::vector<float>;

struct Arguments {
  std::string ratings;
  int rank = 8;
  int epochs = 20;
  std::size_t batch = 64;
  float learning_rate = 0.1F;
  dtrain::RowUpdates updates = dtrain::RowUpdates::kDense;
  std::size_t test_every = 10;  ///< Every so many-th rating is kept for the test.
};

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  if (argc > 1) arguments.ratings = argv[1];
  bool understood = argc > 1 && argc % 2 == 0;
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string option = argv[i];
    const std::string value = argv[i + 1];
    if (option == "--rank") {
      arguments.rank = std::stoi(value);
    } else if (option == "--epochs") {
      arguments.epochs = std::stoi(value);
    } else if (option == "--batch") {
      arguments.batch = std::stoul(value);
    } else if (option == "--learning_rate") {
      arguments.learning_rate = std::stof(value);
    } else if (option == "--test_every") {
      arguments.test_every = std::stoul(value);
    } else if (option == "--updates" && (value == "lazy" || value == "dense")) {
      arguments.updates = value == "lazy" ? dtrain::RowUpdates::kLazy : dtrain::RowUpdates::kDense;
    } else {
      understood = false;
    }
  }
  if (!understood || arguments.rank < 1 || arguments.batch < 1 || arguments.test_every < 2) {
    throw dtrain::Error(dtrain::ErrorCode::kInvalidArgument, "these are no arguments of it",
                        "Use matrix_factorization RATINGS.csv [--rank N] [--epochs N] [--batch N] "
                        "[--learning_rate X] [--updates lazy|dense] [--test_every N]");
  }
  return arguments;
}

struct Rating {
  std::uint64_t user = 0;
  std::uint64_t item = 0;
  float rating = 0;
};

struct Ratings {
  std::vector<Rating> train;
  std::vector<Rating> test;
  std::size_t users = 0;
  std::size_t items = 0;
  float mean = 0;  ///< Of the training ratings.
};

/// Every worker reads the whole file, so all number users and items alike.
Ratings read(const Arguments& arguments) {
  const auto data =
      dtrain::Dataset::from_csv(arguments.ratings, {.label = "rating",
                                                    .label_kind = dtrain::LabelKind::kValue,
                                                    .columns = {"user", "item"},
                                                    .integer_features = true});
  std::unordered_map<std::int64_t, std::uint64_t> users, items;
  Ratings ratings;
  double sum = 0;
  const auto pairs = data.feature<std::int64_t>("features");
  const auto values = data.target<float>("rating");
  for (std::size_t i = 0; i < data.size(); ++i) {
    const auto user = users.try_emplace(pairs[2 * i], users.size()).first;
    const auto item = items.try_emplace(pairs[2 * i + 1], items.size()).first;
    const Rating rating{user->second, item->second, values[i]};
    const bool tests = i % arguments.test_every == 0;
    (tests ? ratings.test : ratings.train).push_back(rating);
    if (!tests) sum += static_cast<double>(rating.rating);
  }
  ratings.users = users.size();
  ratings.items = items.size();
  if (ratings.train.empty()) {
    throw dtrain::Error(dtrain::ErrorCode::kInvalidArgument, "the file has too few ratings");
  }
  ratings.mean = static_cast<float>(sum / static_cast<double>(ratings.train.size()));
  return ratings;
}

constexpr int kUsers = 0;
constexpr int kItems = 1;
constexpr float kMomentum = 0.9F;
constexpr std::uint64_t kSeed = 1;

/// The two tables, wherever they are.
class Factors {
 public:
  virtual ~Factors() = default;
  virtual void pull(const Keys& users, const Keys& items, Rows& user_rows, Rows& item_rows) = 0;
  /// One step with the mean gradient of `examples` ratings; a key may come more than once.
  virtual void push(const Keys& users, const Keys& items, const Rows& user_gradients,
                    const Rows& item_gradients, std::uint64_t examples) = 0;
};

const char* const kNames[] = {"users", "items"};
const dtrain::Initializer kFirstValues = dtrain::RandomNormal{.stddev = 0.3F};

class FactorsOnServers final : public Factors {
 public:
  FactorsOnServers(dtrain::Cluster& cluster, const Ratings& ratings, const Arguments& arguments)
      : client_(cluster), width_(static_cast<std::size_t>(arguments.rank)) {
    std::vector<dtrain::RowTable> tables;
    for (const int table : {kUsers, kItems}) {
      tables.push_back(
          {.name = std::string(kNames[table]) + "/embeddings",
           .rows = static_cast<std::int64_t>(table == kUsers ? ratings.users : ratings.items),
           .width = arguments.rank,
           .initializer = kFirstValues,
           .updates = arguments.updates,
           .seed = kSeed});
    }
    client_.declare({}, tables,
                    dtrain::Sgd{.learning_rate = arguments.learning_rate, .momentum = kMomentum});
  }

  void pull(const Keys& users, const Keys& items, Rows& user_rows, Rows& item_rows) override {
    user_rows.resize(users.size() * width_);
    item_rows.resize(items.size() * width_);
    client_.pull_rows(
        {{"users/embeddings", users, user_rows}, {"items/embeddings", items, item_rows}});
  }
  void push(const Keys& users, const Keys& items, const Rows& user_gradients,
            const Rows& item_gradients, std::uint64_t examples) override {
    client_.push_rows(
        {{"users/embeddings", users, user_gradients}, {"items/embeddings", items, item_gradients}},
        {.examples = examples});
  }

 private:
  dtrain::ParameterClient client_;
  const std::size_t width_;
};

/// The same in one process: stochastic gradient descent with momentum on whole arrays.
class FactorsHere final : public Factors {
 public:
  FactorsHere(const Ratings& ratings, const Arguments& arguments)
      : width_(static_cast<std::size_t>(arguments.rank)), learning_rate_(arguments.learning_rate) {
    for (const int table : {kUsers, kItems}) {
      const std::size_t count = table == kUsers ? ratings.users : ratings.items;
      // An embedding's first values are those of a table with its name and seed.
      values_[table] =
          dtrain::Strategy::local()
              .build({.input_shape = {1},
                      .layers = {dtrain::Embedding{.input_dim = static_cast<std::int64_t>(count),
                                                   .output_dim = arguments.rank,
                                                   .embeddings_initializer = kFirstValues,
                                                   .name = kNames[table]}}},
                     {.seed = kSeed})
              .variable(std::string(kNames[table]) + "/embeddings");
      momentums_[table].resize(values_[table].size());
    }
  }

  void pull(const Keys& users, const Keys& items, Rows& user_rows, Rows& item_rows) override {
    gather(values_[kUsers], users, user_rows);
    gather(values_[kItems], items, item_rows);
  }
  void push(const Keys& users, const Keys& items, const Rows& user_gradients,
            const Rows& item_gradients, std::uint64_t /*examples*/) override {
    update(kUsers, users, user_gradients);
    update(kItems, items, item_gradients);
  }

 private:
  void gather(const Rows& table, const Keys& keys, Rows& rows) const {
    rows.clear();
    for (const std::uint64_t key : keys) {
      const auto row = table.begin() + static_cast<std::ptrdiff_t>(key * width_);
      rows.insert(rows.end(), row, row + static_cast<std::ptrdiff_t>(width_));
    }
  }
  void update(int table, const Keys& keys, const Rows& gradients) {
    Rows sums(values_[table].size());
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      sums[keys[i / width_] * width_ + i % width_] += gradients[i];
    }
    for (std::size_t i = 0; i < sums.size(); ++i) {
      momentums_[table][i] = kMomentum * momentums_[table][i] - learning_rate_ * sums[i];
      values_[table][i] += momentums_[table][i];
    }
  }

  const std::size_t width_;
  const float learning_rate_;
  Rows values_[2];
  Rows momentums_[2];
};

class Training {
 public:
  Training(dtrain::Cluster& cluster, const Arguments& arguments)
      : arguments_(arguments),
        ratings_(read(arguments)),
        width_(static_cast<std::size_t>(arguments.rank)),
        rank_(static_cast<std::size_t>(cluster.rank())),
        workers_(static_cast<std::size_t>(cluster.worker_count())) {
    if (cluster.spec().servers().empty()) {
      factors_ = std::make_unique<FactorsHere>(ratings_, arguments);
    } else {
      factors_ = std::make_unique<FactorsOnServers>(cluster, ratings_, arguments);
    }
  }

  void run() {
    std::vector<std::size_t> order(ratings_.train.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::mt19937_64 random(kSeed);  // the same order on every worker
    std::cout << std::setprecision(9);
    for (int epoch = 1; epoch <= arguments_.epochs; ++epoch) {
      for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random() % i]);
      for (std::size_t at = 0; at < order.size(); at += arguments_.batch) {
        step(order, at, std::min(at + arguments_.batch, order.size()));
      }
      // Nobody's next step can end without the chief's push: these values stand still.
      if (rank_ != 0) continue;
      std::cout << "epoch " << epoch << ": train loss " << mean_squared_error(ratings_.train)
                << std::endl;
    }
    if (rank_ != 0) return;
    std::cout << "test RMSE " << std::sqrt(mean_squared_error(ratings_.test)) << " on "
              << ratings_.test.size() << " ratings of " << ratings_.users << " users and "
              << ratings_.items << " items" << std::endl;
  }

 private:
  /// This worker's part of the batch order[begin, end).
  void step(const std::vector<std::size_t>& order, std::size_t begin, std::size_t end) {
    const std::size_t count = end - begin;
    std::vector<Rating> part;
    for (std::size_t i = begin + count * rank_ / workers_;
         i < begin + count * (rank_ + 1) / workers_; ++i) {
      part.push_back(ratings_.train[order[i]]);
    }
    pull(part);
    Rows user_gradients(user_rows_.size()), item_gradients(item_rows_.size());
    for (std::size_t i = 0; i < part.size(); ++i) {
      const float slope = 2.0F * error(part, i) / static_cast<float>(part.size());
      for (std::size_t at = i * width_; at < (i + 1) * width_; ++at) {
        user_gradients[at] = slope * item_rows_[at];
        item_gradients[at] = slope * user_rows_[at];
      }
    }
    factors_->push(users_, items_, user_gradients, item_gradients, part.size());
  }

  double mean_squared_error(const std::vector<Rating>& ratings) {
    double sum = 0;
    for (std::size_t at = 0; at < ratings.size(); at += arguments_.batch) {
      const std::size_t end = std::min(at + arguments_.batch, ratings.size());
      const std::vector<Rating> part(ratings.begin() + static_cast<std::ptrdiff_t>(at),
                                     ratings.begin() + static_cast<std::ptrdiff_t>(end));
      pull(part);
      for (std::size_t i = 0; i < part.size(); ++i) {
        sum += std::pow(static_cast<double>(error(part, i)), 2);
      }
    }
    return sum / static_cast<double>(ratings.size());
  }

  /// The rows of these ratings, in their order.
  void pull(const std::vector<Rating>& part) {
    users_.clear();
    items_.clear();
    for (const Rating& rating : part) {
      users_.push_back(rating.user);
      items_.push_back(rating.item);
    }
    factors_->pull(users_, items_, user_rows_, item_rows_);
  }

  float error(const std::vector<Rating>& part, std::size_t i) const {
    const auto first = static_cast<std::ptrdiff_t>(i * width_);
    const float product =
        std::inner_product(user_rows_.begin() + first,
                           user_rows_.begin() + first + static_cast<std::ptrdiff_t>(width_),
                           item_rows_.begin() + first, 0.0F);
    return ratings_.mean + product - part[i].rating;
  }

  const Arguments arguments_;
  const Ratings ratings_;
  const std::size_t width_;
  const std::size_t rank_;
  const std::size_t workers_;
  std::unique_ptr<Factors> factors_;
  Keys users_, items_;
  Rows user_rows_, item_rows_;
};

}  // namespace

int main(int argc, char** argv) {
  return dtrain::run(argc, argv,
                     [&](dtrain::Cluster& cluster) { Training(cluster, parse(argc, argv)).run(); });
}
