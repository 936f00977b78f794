#include "tensor/arena.h"

#include <algorithm>
#include <new>
#include <utility>

namespace dtrain::inline v0::tensor {
namespace {

constexpr std::size_t kPageBytes = 4096;

}  // namespace

Arena::Arena(std::size_t count)
    : data_(static_cast<float*>(::operator new (std::max<std::size_t>(count, 1) * sizeof(float),
                                                std::align_val_t{kArenaAlignmentBytes}))),
      count_(count) {
  std::fill_n(data_.get(), count, 0.0F);
}

Arena Arena::shared(std::size_t count) {
  if (count < kPageBytes / sizeof(float)) return Arena(count);
  auto memory = base::SharedMemory::create(count * sizeof(float) + kPageBytes);
  if (!memory.ok()) return Arena(count);
  std::byte* start = memory.value()->writable().data() + memory.value()->stagger();
  Arena arena;
  arena.data_ = {reinterpret_cast<float*>(start), Free{.borrowed = true}};
  arena.memory_ = std::move(memory.value());
  arena.count_ = count;
  return arena;
}

void Arena::Free::operator()(float* data) const {
  if (!borrowed) ::operator delete (data, std::align_val_t{kArenaAlignmentBytes});
}

}  // namespace dtrain::inline v0::tensor
