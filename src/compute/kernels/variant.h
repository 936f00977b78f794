// The body of one instruction-set variant: included once by each source that defines
// DTRAIN_KERNELS_NAMESPACE, DTRAIN_KERNELS_TABLE and DTRAIN_KERNELS_NAME and is compiled with that
// instruction set's flags. No guard and no include of it elsewhere.
//
// Everything below lies in the variant's own namespace and calls no inline or template function of
// the standard library or of dtrain: such a function would be emitted under a name that all
// variants share, and the linker keeps one of them, perhaps the one that this machine cannot run.
// Eigen is compiled as a namespace of the variant's own (-DEigen=...).
#include <Eigen/Core>
#include <cstddef>
#include <cstdint>

#include "compute/kernels.h"

// Iterations do not depend on each other although pointers may be equal (in place).
#if defined(__clang__)
#define DTRAIN_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define DTRAIN_INDEPENDENT _Pragma("GCC ivdep")
#endif

// g++ warns of every vector type that is a template argument.
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wignored-attributes"
#endif

namespace dtrain::inline v0::compute::DTRAIN_KERNELS_NAMESPACE {
namespace {

// Each builds on those before it.
// clang-format off
#include "compute/kernels/math.inc"
#include "compute/kernels/activation.inc"
#include "compute/kernels/softmax.inc"
#include "compute/kernels/packets.inc"
#include "compute/kernels/matmul.inc"
#include "compute/kernels/convolution.inc"
#include "compute/kernels/depthwise.inc"
#include "compute/kernels/pooling.inc"
#include "compute/kernels/normalization.inc"
#include "compute/kernels/loss.inc"
#include "compute/kernels/dropout.inc"
#include "compute/kernels/optimizer.inc"
#include "compute/kernels/half.inc"
#include "compute/kernels/elementwise.inc"
// clang-format on

}  // namespace
}  // namespace dtrain::inline v0::compute::DTRAIN_KERNELS_NAMESPACE

namespace dtrain::inline v0::compute {

namespace variant = DTRAIN_KERNELS_NAMESPACE;

const KernelTable DTRAIN_KERNELS_TABLE = {
    DTRAIN_KERNELS_NAME,
    variant::kWorkspaceCount,
    variant::matmul,
    variant::column_sums,
    variant::activate,
    variant::activate_backward,
    variant::softmax,
    variant::softmax_backward,
    variant::log_softmax,
    variant::log_softmax_backward,
    variant::kPanel,
    variant::convolve,
    variant::convolve_gradient,
    variant::depthwise,
    variant::depthwise_gradient,
    variant::max_pooling,
    variant::max_pooling_backward,
    variant::max_pooling_shared,
    variant::average_pooling,
    variant::average_pooling_backward,
    variant::column_terms,
    variant::normalize_columns,
    variant::normalize_columns_backward,
    variant::normalize_rows,
    variant::normalize_rows_backward,
    variant::unit_rows,
    variant::unit_rows_backward,
    variant::add,
    variant::multiply,
    variant::scale,
    variant::blend,
    variant::row_dots,
    variant::scale_rows,
    variant::gather_bags,
    variant::scatter_bags,
    variant::penalty_sums,
    variant::penalty_gradient,
    variant::loss,
    variant::dropout,
    variant::sgd,
    variant::adagrad,
    variant::adadelta,
    variant::rmsprop,
    variant::adam,
    variant::adamax,
    variant::nadam,
    variant::ftrl,
    variant::lion,
    variant::begin_sum,
    variant::accumulate,
    variant::to_float16,
    variant::from_float16,
    variant::to_bfloat16,
    variant::from_bfloat16,
};

}  // namespace dtrain::inline v0::compute
