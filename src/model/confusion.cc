#include "model/confusion.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace dtrain::inline v0::model {
namespace {

using metrics::AucCurve;
using metrics::AucSummation;

// keras.backend.epsilon()
constexpr double kEpsilon = 1e-7;

/// numpy.allclose of the thresholds with i / (count - 1), which Keras asks before it takes the fast
/// way. Its ends are not compared where they are Auc's, which it knows to be even.
bool evenly_spaced(std::span<const float> thresholds) {
  if (thresholds.size() < 3) return false;
  const auto last = static_cast<double>(thresholds.size() - 1);
  for (std::size_t i = 0; i < thresholds.size(); ++i) {
    const double even = static_cast<double>(i) / last;
    const double distance = std::abs(static_cast<double>(thresholds[i]) - even);
    if (distance > 1.5 * kEpsilon + 1e-5 * even) return false;
  }
  return true;
}

struct Point {
  double x = 0.0;
  double y = 0.0;
};

Point point_of(AucCurve curve, const Confusion& at) {
  const double recall = divide_no_nan(at.true_positives, at.true_positives + at.false_negatives);
  if (curve == AucCurve::kRoc) {
    return {divide_no_nan(at.false_positives, at.false_positives + at.true_negatives), recall};
  }
  return {recall, divide_no_nan(at.true_positives, at.true_positives + at.false_positives)};
}

/// True positives and all positives change in a line between two thresholds (Davis and Goadrich,
/// "The relationship between Precision-Recall and ROC curves", 2006): the integral in closed form.
double interpolated_precision(const Confusion& low, const Confusion& high) {
  const double all_low = low.true_positives + low.false_positives;
  const double all_high = high.true_positives + high.false_positives;
  const double gained = low.true_positives - high.true_positives;
  const double slope = divide_no_nan(gained, std::max(all_low - all_high, 0.0));
  const double intercept = high.true_positives - slope * all_high;
  const double ratio = all_low > 0.0 && all_high > 0.0 ? all_low / all_high : 1.0;
  return divide_no_nan(slope * (gained + intercept * std::log(ratio)),
                       high.true_positives + high.false_negatives);
}

double height(AucSummation method, double a, double b) {
  switch (method) {
    case AucSummation::kInterpolation:
      return (a + b) / 2.0;
    case AucSummation::kMinoring:
      return std::min(a, b);
    case AucSummation::kMajoring:
      return std::max(a, b);
  }
  return 0.0;
}

}  // namespace

double divide_no_nan(double dividend, double divisor) {
  return divisor == 0.0 ? 0.0 : dividend / divisor;
}

ConfusionCounter::ConfusionCounter(std::vector<float> thresholds)
    : thresholds_(std::move(thresholds)),
      even_(evenly_spaced(thresholds_)),
      reaches_beyond_(thresholds_.front() < 0.0F || thresholds_.back() > 1.0F) {}

std::size_t ConfusionCounter::thresholds_below(float prediction) const {
  if (!even_) {
    // A NaN is above none, and neither is it below.
    const auto above = [prediction](float threshold) { return threshold < prediction; };
    return static_cast<std::size_t>(std::ranges::partition_point(thresholds_, above) -
                                    thresholds_.begin());
  }
  if (std::isnan(prediction)) return 0;
  const float steps = static_cast<float>(thresholds_.size() - 1);
  const float below = std::ceil(std::clamp(prediction, 0.0F, 1.0F) * steps);
  return static_cast<std::size_t>(reaches_beyond_ ? std::max(below, 1.0F) : below);
}

void ConfusionCounter::add(float prediction, bool positive, double weight,
                           std::span<double> state) const {
  const std::size_t place = thresholds_below(prediction);
  state[positive ? place : place + thresholds_.size() + 1] += weight;
}

std::vector<Confusion> ConfusionCounter::confusions(std::span<const double> state) const {
  const std::size_t count = thresholds_.size();
  const auto positives = state.first(count + 1);
  const auto negatives = state.subspan(count + 1);
  std::vector<Confusion> confusions(count);
  // From both ends: differences of sums would leave rounding where there is nothing.
  Confusion sum;
  for (std::size_t i = count; i-- > 0;) {
    confusions[i].true_positives = sum.true_positives += positives[i + 1];
    confusions[i].false_positives = sum.false_positives += negatives[i + 1];
  }
  for (std::size_t i = 0; i < count; ++i) {
    confusions[i].false_negatives = sum.false_negatives += positives[i];
    confusions[i].true_negatives = sum.true_negatives += negatives[i];
  }
  return confusions;
}

std::vector<float> auc_thresholds(const metrics::Auc& auc) {
  std::vector<float> thresholds = auc.thresholds;
  std::ranges::sort(thresholds);
  if (thresholds.empty()) {
    const auto last = static_cast<double>(auc.num_thresholds - 1);
    for (std::int64_t i = 1; i + 1 < auc.num_thresholds; ++i) {
      thresholds.push_back(static_cast<float>(static_cast<double>(i) / last));
    }
  }
  thresholds.insert(thresholds.begin(), static_cast<float>(0.0 - kEpsilon));
  thresholds.push_back(static_cast<float>(1.0 + kEpsilon));
  return thresholds;
}

double area_under_curve(const metrics::Auc& auc, std::span<const Confusion> confusions) {
  const bool interpolates_precision =
      auc.curve == AucCurve::kPr && auc.summation_method == AucSummation::kInterpolation;
  double area = 0.0;
  for (std::size_t i = 0; i + 1 < confusions.size(); ++i) {
    if (interpolates_precision) {
      area += interpolated_precision(confusions[i], confusions[i + 1]);
      continue;
    }
    const Point low = point_of(auc.curve, confusions[i]);
    const Point high = point_of(auc.curve, confusions[i + 1]);
    area += (low.x - high.x) * height(auc.summation_method, low.y, high.y);
  }
  return area;
}

}  // namespace dtrain::inline v0::model
