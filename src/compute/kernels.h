#pragma once

#include <cstddef>
#include <cstdint>

#include "compute/layer_tasks.h"
#include "dtrain/activation.h"

// The loops of the CPU device, compiled once per instruction set. This header is read by sources
// with different instruction-set flags, so it declares plain data only: an inline function here
// could be emitted with AVX2 instructions and then be merged into code for every machine.
namespace dtrain::inline v0::compute {

/// out = activation(op(a) * op(b) + bias); op transposes where asked. All row-major.
struct MatmulTask {
  bool transpose_a = false;
  bool transpose_b = false;
  std::size_t rows = 0;     ///< Of out.
  std::size_t columns = 0;  ///< Of out.
  std::size_t depth = 0;
  const float* a = nullptr;
  std::size_t stride_a = 0;  ///< Elements from one stored row to the next.
  const float* b = nullptr;
  std::size_t stride_b = 0;
  float* out = nullptr;
  std::size_t stride_out = 0;
  const float* bias = nullptr;                  ///< `columns` elements, or null.
  Activation activation = Activation::kLinear;  ///< Elementwise.
  float constant = 0.0F;                        ///< The activation's.
  float* workspace = nullptr;  ///< KernelTable::matmul_workspace_count floats, 64-byte aligned.
};

enum class LossFunction : std::uint8_t {
  kSparseCrossEntropyLogits,
  kSparseCrossEntropy,
  kCrossEntropyLogits,
  kCrossEntropy,
  kBinaryCrossEntropyLogits,
  kBinaryCrossEntropy,
  kSquaredError,
  kAbsoluteError,
  kHuber,
};

/// Loss per row, times its weight, and the gradient of `scale` times their sum.
struct LossTask {
  LossFunction function = LossFunction::kSquaredError;
  std::size_t rows = 0;
  std::size_t columns = 0;
  const float* outputs = nullptr;
  const std::int32_t* labels = nullptr;  ///< `rows` classes below `columns`, for sparse functions.
  const float* targets = nullptr;        ///< rows * columns, for the others.
  const float* weights = nullptr;        ///< One per row; null: all are 1.
  float target_factor = 1.0F;            ///< Of cross-entropies: a target counts as
  float target_shift = 0.0F;             ///< target * target_factor + target_shift.
  float delta = 1.0F;                    ///< Of kHuber.
  float scale = 1.0F;
  float* gradient = nullptr;  ///< rows * columns, or null.
  float* losses = nullptr;    ///< `rows`.
};

/// out = in * (0 or 1 / (1 - rate)); in and out may be the same.
struct DropoutTask {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::uint32_t key[2] = {0, 0};
  std::uint32_t step = 0;
  const std::uint64_t* example_indices = nullptr;  ///< One per row.
  std::uint32_t threshold = 0;                     ///< Numbers below it drop.
  float scale = 1.0F;
  const float* in = nullptr;
  float* out = nullptr;
};

/// Most slots that an optimizer keeps per element.
constexpr std::size_t kOptimizerSlotsMax = 3;

/// What every optimizer's loop reads and writes; all memory is `count` elements long.
struct UpdateTask {
  std::size_t count = 0;
  const float* values = nullptr;
  float* updated = nullptr;  ///< `values` or memory that overlaps nothing here.
  const float* gradients = nullptr;
  float* slots[kOptimizerSlotsMax] = {};  ///< Null behind the optimizer's last.
  float gradient_scale = 1.0F;
  float gradient_limit = 0.0F;  ///< Scaled gradients are cut to its magnitude; infinity: not.
  float learning_rate = 0.0F;
  float weight_decay = 0.0F;
};

struct SgdTask {
  UpdateTask update;
  float momentum = 0.0F;
  bool nesterov = false;
};

struct AdagradTask {
  UpdateTask update;
  float epsilon = 0.0F;
};

struct AdadeltaTask {
  UpdateTask update;
  float rho = 0.0F;
  float one_minus_rho = 0.0F;
  float epsilon = 0.0F;
};

struct RmsPropTask {
  UpdateTask update;
  float rho = 0.0F;
  float one_minus_rho = 0.0F;
  float momentum = 0.0F;
  float epsilon = 0.0F;
  bool centered = false;
};

struct AdamTask {
  UpdateTask update;
  float alpha = 0.0F;  ///< The learning rate with both corrections.
  float one_minus_beta_1 = 0.0F;
  float one_minus_beta_2 = 0.0F;
  float epsilon = 0.0F;
};

struct AdamaxTask {
  UpdateTask update;
  float one_minus_beta_1 = 0.0F;
  float beta_2 = 0.0F;
  float correction = 0.0F;  ///< 1 - beta_1^t
  float epsilon = 0.0F;
};

struct NadamTask {
  UpdateTask update;
  float one_minus_beta_1 = 0.0F;
  float one_minus_beta_2 = 0.0F;
  float momentum_part = 0.0F;  ///< Of the momentum in the step, and
  float gradient_part = 0.0F;  ///< of the gradient.
  float correction_2 = 0.0F;   ///< 1 - beta_2^t
  float epsilon = 0.0F;
};

struct FtrlTask {
  UpdateTask update;
  float exponent = 0.5F;  ///< -learning_rate_power
  float l1 = 0.0F;
  float l2_twice = 0.0F;  ///< 2 * l2 + beta / learning_rate
  float shrinkage_twice = 0.0F;
};

struct LionTask {
  UpdateTask update;
  float beta_1 = 0.0F;
  float one_minus_beta_1 = 0.0F;
  float beta_2 = 0.0F;
  float one_minus_beta_2 = 0.0F;
};

/// One instruction set's kernels. Elementwise ones give the same bits in every table (they are
/// compiled without contraction and call no vendor function); products agree to rounding.
struct KernelTable {
  const char* name;
  std::size_t matmul_workspace_count;
  void (*matmul)(const MatmulTask& task);
  void (*column_sums)(std::size_t rows, std::size_t columns, std::size_t stride, const float* in,
                      float* out);
  /// Elementwise; in and out may be the same. For `constant` see ActivationPass.
  void (*activate)(Activation activation, float constant, std::size_t count, const float* in,
                   float* out);
  /// in_gradient = out_gradient * activation'(x): from out = activation(x), or from in = x where
  /// activation_backward_needs_input().
  void (*activate_backward)(Activation activation, float constant, std::size_t count,
                            const float* in, const float* out, const float* out_gradient,
                            float* in_gradient);
  void (*softmax)(std::size_t rows, std::size_t columns, const float* in, float* out);
  void (*softmax_backward)(std::size_t rows, std::size_t columns, const float* out,
                           const float* out_gradient, float* in_gradient);
  void (*log_softmax)(std::size_t rows, std::size_t columns, const float* in, float* out);
  void (*log_softmax_backward)(std::size_t rows, std::size_t columns, const float* out,
                               const float* out_gradient, float* in_gradient);
  std::size_t convolution_panel;
  void (*convolve)(const ConvolutionTask& task);
  void (*convolve_gradient)(const ConvolutionGradientTask& task);
  void (*depthwise)(const ConvolutionTask& task);
  void (*depthwise_gradient)(const ConvolutionGradientTask& task);
  void (*max_pooling)(const PoolingTask& task);
  void (*max_pooling_backward)(const PoolingTask& task);  ///< PoolingTies::kFirst,
  void (*max_pooling_shared)(const PoolingTask& task);    ///< and kShared.
  void (*average_pooling)(const PoolingTask& task);
  void (*average_pooling_backward)(const PoolingTask& task);
  void (*column_terms)(const ColumnTermsTask& task);
  void (*normalize_columns)(const ColumnMapTask& task);
  void (*normalize_columns_backward)(const ColumnMapTask& task);
  void (*normalize_rows)(const RowNormalizationTask& task);
  void (*normalize_rows_backward)(const RowNormalizationBackwardTask& task);
  /// To length 1: in / |in|, but no more than 10^7 in.
  void (*unit_rows)(std::size_t rows, std::size_t columns, const float* in, float* out);
  void (*unit_rows_backward)(std::size_t rows, std::size_t columns, const float* in,
                             const float* out_gradient, float* in_gradient);
  /// out may be a or b.
  void (*add)(std::size_t count, const float* a, const float* b, float* out);
  void (*multiply)(std::size_t count, const float* a, const float* b, float* out);
  void (*scale)(std::size_t count, float factor, const float* in, float* out);
  /// to = to * keep + from * take
  void (*blend)(std::size_t count, float keep, float take, const float* from, float* to);
  /// out[r] = row r of a times row r of b.
  void (*row_dots)(std::size_t rows, std::size_t columns, const float* a, const float* b,
                   float* out);
  /// Row r of out = factors[r] * row r of in.
  void (*scale_rows)(std::size_t rows, std::size_t columns, const float* factors, const float* in,
                     float* out);
  void (*gather_bags)(const BagsTask& task);
  void (*scatter_bags)(const BagsTask& task);
  /// Sums of |x| and of x^2.
  void (*penalty_sums)(std::size_t count, const float* in, double* absolutes, double* squares);
  /// gradients += l2_twice * values + l1 * sign(values)
  void (*penalty_gradient)(std::size_t count, float l1, float l2_twice, const float* values,
                           float* gradients);
  void (*loss)(const LossTask& task);
  void (*dropout)(const DropoutTask& task);
  void (*sgd)(const SgdTask& task);
  void (*adagrad)(const AdagradTask& task);
  void (*adadelta)(const AdadeltaTask& task);
  void (*rmsprop)(const RmsPropTask& task);
  void (*adam)(const AdamTask& task);
  void (*adamax)(const AdamaxTask& task);
  void (*nadam)(const NadamTask& task);
  void (*ftrl)(const FtrlTask& task);
  void (*lion)(const LionTask& task);
  void (*begin_sum)(std::size_t count, float* sum, const float* gradients, float weight);
  void (*accumulate)(std::size_t count, float* sum, const float* gradients, float weight);
  void (*to_float16)(std::size_t count, const float* in, std::uint16_t* out);
  void (*from_float16)(std::size_t count, const std::uint16_t* in, float* out);
  void (*to_bfloat16)(std::size_t count, const float* in, std::uint16_t* out);
  void (*from_bfloat16)(std::size_t count, const std::uint16_t* in, float* out);
};

extern const KernelTable kBaselineKernels;
#if defined(__x86_64__)
extern const KernelTable kAvx2Kernels;
extern const KernelTable kAvx512Kernels;
#endif

}  // namespace dtrain::inline v0::compute
