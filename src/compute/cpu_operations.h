#pragma once

#include "compute/cpu_runner.h"
#include "compute/elementwise.h"
#include "compute/normalization.h"
#include "compute/pooling.h"

// The CPU device's operations that need nothing of the device but its kernels, threads and working
// memory; contracts are the device's.
namespace dtrain::inline v0::compute {

void cpu_pooling(CpuRunner& runner, const PoolingPass& pass);
void cpu_pooling_backward(CpuRunner& runner, const PoolingBackwardPass& pass);

void cpu_batch_normalization(CpuRunner& runner, const BatchNormalizationPass& pass);
void cpu_batch_inference(CpuRunner& runner, const BatchInferencePass& pass);
void cpu_batch_normalization_backward(CpuRunner& runner,
                                      const BatchNormalizationBackwardPass& pass);
void cpu_layer_normalization(CpuRunner& runner, const LayerNormalizationPass& pass);
void cpu_layer_normalization_backward(CpuRunner& runner,
                                      const LayerNormalizationBackwardPass& pass);
void cpu_unit_rows(CpuRunner& runner, const UnitRowsPass& pass);
void cpu_unit_rows_backward(CpuRunner& runner, const UnitRowsBackwardPass& pass);

void cpu_combine(CpuRunner& runner, const CombinePass& pass);
void cpu_copy_rows(CpuRunner& runner, const CopyRowsPass& pass);
void cpu_broadcast(CpuRunner& runner, const BroadcastPass& pass);
void cpu_broadcast_backward(CpuRunner& runner, const BroadcastBackwardPass& pass);
void cpu_dot(CpuRunner& runner, const DotPass& pass);
void cpu_dot_backward(CpuRunner& runner, const DotBackwardPass& pass);
void cpu_gather_bags(CpuRunner& runner, const GatherBagsPass& pass);
void cpu_scatter_bags(CpuRunner& runner, const ScatterBagsPass& pass);
double cpu_penalty(CpuRunner& runner, const Penalty& penalty, std::span<const float> values);
void cpu_penalty_gradient(CpuRunner& runner, const Penalty& penalty, std::span<const float> values,
                          std::span<float> gradients);

}  // namespace dtrain::inline v0::compute
