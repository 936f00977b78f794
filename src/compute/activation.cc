#include "compute/activation.h"

#include <string>

#include "base/strings.h"
#include "dtrain/error.h"

namespace dtrain::inline v0 {
namespace {

struct Name {
  Activation activation;
  std::string_view name;
};

// An activation's own name comes first.
constexpr Name kNames[] = {
    {Activation::kLinear, "linear"},
    {Activation::kRelu, "relu"},
    {Activation::kRelu6, "relu6"},
    {Activation::kLeakyRelu, "leaky_relu"},
    {Activation::kElu, "elu"},
    {Activation::kSelu, "selu"},
    {Activation::kCelu, "celu"},
    {Activation::kGelu, "gelu"},
    {Activation::kGeluTanh, "gelu_tanh"},
    {Activation::kSilu, "silu"},
    {Activation::kSilu, "swish"},
    {Activation::kHardSilu, "hard_silu"},
    {Activation::kHardSilu, "hard_swish"},
    {Activation::kMish, "mish"},
    {Activation::kSigmoid, "sigmoid"},
    {Activation::kHardSigmoid, "hard_sigmoid"},
    {Activation::kLogSigmoid, "log_sigmoid"},
    {Activation::kTanh, "tanh"},
    {Activation::kHardTanh, "hard_tanh"},
    {Activation::kSoftplus, "softplus"},
    {Activation::kSoftsign, "softsign"},
    {Activation::kExponential, "exponential"},
    {Activation::kLogSoftmax, "log_softmax"},
    {Activation::kSoftmax, "softmax"},
};

}  // namespace

std::string_view activation_name(Activation activation) noexcept {
  for (const Name& entry : kNames) {
    if (entry.activation == activation) return entry.name;
  }
  return "linear";
}

Activation activation_from_name(std::string_view name) {
  std::string all;
  for (const Name& entry : kNames) {
    if (entry.name == name) return entry.activation;
    all += base::str_cat(all.empty() ? "" : ", ", entry.name);
  }
  throw Error(ErrorCode::kInvalidArgument, base::str_cat("there is no activation \"", name, "\""),
              base::str_cat("Give one of ", all));
}

}  // namespace dtrain::inline v0
