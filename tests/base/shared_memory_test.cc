#include "base/shared_memory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <set>

namespace dtrain::base {
namespace {

/// A descriptor of what SharedMemory would not make.
int memfd_of(std::size_t bytes, int seals) {
  const int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  EXPECT_EQ(ftruncate(fd, static_cast<off_t>(bytes)), 0);
  EXPECT_EQ(fcntl(fd, F_ADD_SEALS, seals), 0);
  return fd;
}

std::string error_of(int fd, std::size_t bytes_min) {
  const auto mapped = SharedMemory::map(fd, bytes_min);
  return mapped.ok() ? "" : mapped.error().what();
}

TEST(SharedMemory, WhatIsWrittenIsSeenThroughTheOtherMapping) {
  const auto own = SharedMemory::create(10'000).value();
  EXPECT_EQ(own->bytes().size(), 10'000U);
  EXPECT_EQ(own->bytes()[9'999], std::byte{0});
  const auto theirs = SharedMemory::map(dup(own->fd()), 10'000).value();
  EXPECT_NE(theirs->bytes().data(), own->bytes().data());
  own->writable()[9'999] = std::byte{7};
  EXPECT_EQ(theirs->bytes()[9'999], std::byte{7});
}

TEST(SharedMemory, PeersCanNeitherWriteNorChangeItsSize) {
  const auto own = SharedMemory::create(8192).value();
  EXPECT_EQ(mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, own->fd(), 0), MAP_FAILED);
  EXPECT_NE(ftruncate(own->fd(), 4096), 0);
  EXPECT_NE(ftruncate(own->fd(), 16384), 0);
  EXPECT_NE(fallocate(own->fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), 0);
  const char byte = 1;
  EXPECT_NE(pwrite(own->fd(), &byte, 1, 0), 1);
  own->writable()[0] = std::byte{1};  // Its creator's mapping is older than the seal.
}

TEST(SharedMemory, WhatIsNotSealedOrTooSmallIsRefused) {
  EXPECT_NE(error_of(memfd_of(8192, 0), 1).find("not sealed"), std::string::npos);
  EXPECT_NE(error_of(memfd_of(8192, F_SEAL_GROW), 1).find("not sealed"), std::string::npos);
  EXPECT_NE(error_of(memfd_of(100, F_SEAL_SHRINK | F_SEAL_GROW), 101).find("smaller"),
            std::string::npos);
  EXPECT_NE(error_of(memfd_of(0, F_SEAL_SHRINK | F_SEAL_GROW), 0).find("smaller"),
            std::string::npos);
  EXPECT_NE(error_of(open("/proc/self/exe", O_RDONLY | O_CLOEXEC), 1).find("no memfd"),
            std::string::npos);
  EXPECT_NE(error_of(open("/dev/zero", O_RDWR | O_CLOEXEC), 1).find("no memfd"), std::string::npos);
  EXPECT_NE(error_of(-1, 1).find("no memfd"), std::string::npos);
}

TEST(SharedMemory, SizesThatCannotBeAreErrors) {
  EXPECT_FALSE(SharedMemory::create(0).ok());
  for (const std::size_t bytes : {std::size_t{1} << 50, ~std::size_t{0}}) {
    const auto memory = SharedMemory::create(bytes);
    ASSERT_FALSE(memory.ok());
    EXPECT_EQ(memory.error().code(), ErrorCode::kResourceExhausted);
  }
}

TEST(SharedMemory, AForkedChildDoesNotHaveIt) {
  const auto own = SharedMemory::create(4096).value();
  own->writable()[0] = std::byte{5};
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    unsigned char resident;
    // mincore says whether the address is mapped at all.
    const bool mapped = mincore(own->writable().data(), 4096, &resident) == 0;
    own->~SharedMemory();  // Must not unmap what may be somebody else's.
    _exit(mapped ? 1 : 0);
  }
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_EQ(own->bytes()[0], std::byte{5});
}

TEST(SharedMemory, MemoriesMadeInARowStartAtDifferentPlaces) {
  std::set<std::size_t> staggers;
  for (int i = 0; i < 16; ++i) {
    const std::size_t stagger = SharedMemory::create(4096).value()->stagger();
    EXPECT_LT(stagger, 4096U);
    EXPECT_EQ(stagger % 64, 0U);
    staggers.insert(stagger);
  }
  EXPECT_GE(staggers.size(), 8U);
}

}  // namespace
}  // namespace dtrain::base
