#include <algorithm>
#include <cassert>

#include "compute/cpu_operations.h"

namespace dtrain::inline v0::compute {
namespace {

PoolingAxis axis_of(const WindowAxis& axis) {
  assert(axis.dilation == 1 && axis.padding < axis.window);
  assert(axis.out == 0 || (axis.out - 1) * axis.stride < axis.in + axis.padding);
  return {.in = axis.in,
          .out = axis.out,
          .window = axis.window,
          .stride = axis.stride,
          .padding = axis.padding};
}

PoolingTask task_of(const PoolingShape& shape, Range examples) {
  return {.images = examples.count(),
          .height = axis_of(shape.height),
          .width = axis_of(shape.width),
          .channels = shape.channels};
}

std::size_t in_image(const PoolingShape& shape) { return shape.in_count() / shape.examples; }
std::size_t out_image(const PoolingShape& shape) { return shape.out_count() / shape.examples; }

}  // namespace

void cpu_pooling(CpuRunner& runner, const PoolingPass& pass) {
  assert(pass.in.size() == pass.shape.in_count() && pass.out.size() == pass.shape.out_count());
  if (pass.out.empty()) return;
  runner.split(pass.in.size(), pass.shape.examples, 1, [&](Range examples, int /*thread*/) {
    PoolingTask task = task_of(pass.shape, examples);
    task.in = pass.in.data() + examples.begin * in_image(pass.shape);
    task.result = pass.out.data() + examples.begin * out_image(pass.shape);
    const bool max = pass.function == PoolingFunction::kMax;
    (max ? runner.kernels.max_pooling : runner.kernels.average_pooling)(task);
  });
}

void cpu_pooling_backward(CpuRunner& runner, const PoolingBackwardPass& pass) {
  const bool max = pass.function == PoolingFunction::kMax;
  assert(pass.in_gradient.size() == pass.shape.in_count());
  assert(pass.out_gradient.size() == pass.shape.out_count());
  assert(!max || (pass.in.size() == pass.in_gradient.size() &&
                  pass.out.size() == pass.out_gradient.size()));
  if (pass.in_gradient.empty()) return;
  const auto& kernels = runner.kernels;
  const auto max_backward =
      pass.ties == PoolingTies::kFirst ? kernels.max_pooling_backward : kernels.max_pooling_shared;
  const auto backward = max ? max_backward : kernels.average_pooling_backward;
  runner.split(pass.in_gradient.size(), pass.shape.examples, 1,
               [&](Range examples, int /*thread*/) {
                 // Image by image: what is set to 0 is still in the cache when it is added to.
                 for (std::size_t example = examples.begin; example < examples.end; ++example) {
                   PoolingTask task = task_of(pass.shape, {example, example + 1});
                   const std::size_t in = example * in_image(pass.shape);
                   const std::size_t out = example * out_image(pass.shape);
                   task.in_gradient = pass.in_gradient.data() + in;
                   task.out_gradient = pass.out_gradient.data() + out;
                   if (max) {
                     task.in = pass.in.data() + in;
                     task.out = pass.out.data() + out;
                   }
                   std::fill_n(task.in_gradient, in_image(pass.shape), 0.0F);
                   backward(task);
                 }
               });
}

}  // namespace dtrain::inline v0::compute
