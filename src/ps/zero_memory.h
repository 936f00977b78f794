#pragma once

#include <cstddef>
#include <span>
#include <utility>

namespace dtrain::inline v0::ps {

/// A run of elements that are zero at first and take memory only where they have been written:
/// pages that the kernel fills in, of up to 2 MiB in runs of up to 1 GiB. Owns them; movable.
/// Thread-compatible.
class ZeroMemory {
 public:
  ZeroMemory() = default;
  /// Throws std::bad_alloc when there is no address space or, as far as the kernel can tell, no
  /// memory for so much.
  explicit ZeroMemory(std::size_t bytes);
  ~ZeroMemory();
  ZeroMemory(ZeroMemory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  ZeroMemory& operator=(ZeroMemory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }

  template <typename T>
  std::span<T> as() {
    return {static_cast<T*>(data_), bytes_ / sizeof(T)};
  }
  template <typename T>
  std::span<const T> as() const {
    return {static_cast<const T*>(data_), bytes_ / sizeof(T)};
  }

 private:
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace dtrain::inline v0::ps
