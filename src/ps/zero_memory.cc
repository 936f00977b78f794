#include "ps/zero_memory.h"

#include <sys/mman.h>

#include <new>

namespace dtrain::inline v0::ps {
namespace {

// Rows are read and written anywhere: with small pages nearly each one costs a walk through page
// tables, which in a virtual machine takes longer than the row. Large ones are for tables that may
// be in memory as a whole; beyond that, a row would take 2 MiB.
constexpr std::size_t kLargePagesMin = std::size_t{2} << 20;
constexpr std::size_t kLargePagesMax = std::size_t{1} << 30;

}  // namespace

ZeroMemory::ZeroMemory(std::size_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  data_ = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data_ == MAP_FAILED) {
    data_ = nullptr;
    throw std::bad_alloc();
  }
  if (bytes >= kLargePagesMin && bytes <= kLargePagesMax) {
    (void)::madvise(data_, bytes, MADV_HUGEPAGE);  // a kernel without them uses small ones
  }
}

ZeroMemory::~ZeroMemory() {
  if (data_ != nullptr) ::munmap(data_, bytes_);
}

}  // namespace dtrain::inline v0::ps
