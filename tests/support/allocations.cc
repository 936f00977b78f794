#include "support/allocations.h"

#include <atomic>
#include <cerrno>
#include <cstdlib>

#if defined(__has_feature)
#define DTRAIN_HAS_FEATURE(name) __has_feature(name)
#else
#define DTRAIN_HAS_FEATURE(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    DTRAIN_HAS_FEATURE(address_sanitizer) || DTRAIN_HAS_FEATURE(thread_sanitizer)
#define DTRAIN_COUNTS_ALLOCATIONS 0
#else
#define DTRAIN_COUNTS_ALLOCATIONS 1
#endif

namespace {
std::atomic<long> count{0};
}  // namespace

#if DTRAIN_COUNTS_ALLOCATIONS
// Visible, or shared libraries (operator new is in one) would not find them.
#pragma GCC visibility push(default)
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* memory, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) noexcept {
  ++count;
  return __libc_malloc(size);
}
void* calloc(std::size_t elements, std::size_t size) noexcept {
  ++count;
  return __libc_calloc(elements, size);
}
void* realloc(void* memory, std::size_t size) noexcept {
  ++count;
  return __libc_realloc(memory, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  ++count;
  return __libc_memalign(alignment, size);
}
int posix_memalign(void** memory, std::size_t alignment, std::size_t size) noexcept {
  ++count;
  *memory = __libc_memalign(alignment, size);
  return *memory == nullptr ? ENOMEM : 0;
}
}
#pragma GCC visibility pop
#endif

namespace dtrain::inline v0::support {

long allocations() { return count; }

bool counts_allocations() { return DTRAIN_COUNTS_ALLOCATIONS != 0; }

}  // namespace dtrain::inline v0::support
