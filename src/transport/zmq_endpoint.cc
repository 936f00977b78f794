#include "transport/zmq_endpoint.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <zmq.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <utility>

#include "base/strings.h"
#include "transport/zmq_endpoint_impl.h"
#include "transport/zmq_listener.h"

namespace dtrain::inline v0::transport {
namespace {

constexpr int kSocketsMax = 16384;
/// What the heap keeps of freed receive buffers is twice this.
constexpr std::size_t kHeapBlockBytes = 8 << 20;

/// libzmq allocates every large message that comes in. glibc maps blocks beyond a threshold anew
/// and unmaps them when they are freed, and the page faults cost more than the bytes' way through
/// the kernel. The threshold, 128 KiB at first, is raised by the largest such block that was ever
/// freed, as by any program with buffers of this size, unless the program has set it itself. Other
/// allocators are not affected.
void keep_receive_memory_in_heap() {
  void* block = std::malloc(kHeapBlockBytes);
  // Where the compiler sees no use of the block, there is no block.
  asm volatile("" : : "g"(block) : "memory");
  std::free(block);
}

}  // namespace

int fd_of(void* socket) {
  int fd = -1;
  std::size_t size = sizeof(fd);
  zmq_getsockopt(socket, ZMQ_FD, &fd, &size);
  return fd;
}

ZmqEndpoint::ZmqEndpoint(const EndpointOptions& options, const observe::Logger& logger)
    : options_(options), gate_(options, logger), dispatcher_(logger) {
  keep_receive_memory_in_heap();
  context_ = zmq_ctx_new();
  zmq_ctx_set(context_, ZMQ_IO_THREADS, 1);
  zmq_ctx_set(context_, ZMQ_MAX_SOCKETS, kSocketsMax);
  wake_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  poll_fd_ = epoll_create1(EPOLL_CLOEXEC);
  try {
    if (wake_fd_ < 0 || poll_fd_ < 0) {
      throw Error(ErrorCode::kResourceExhausted, "No file descriptor for an endpoint",
                  "Raise the limit of open files (ulimit -n)");
    }
    watch(wake_fd_, kWakeKey);
    if (!options_.listen.empty()) {
      Listener listener = listen_on(context_, options_.listen, options_.limits);
      listener_ = listener.socket;
      address_ = std::move(listener.address);
      watch(fd_of(listener_), kListenerKey);
      active_.push_back(kListenerKey);
    }
    if (options_.shared_memory != SharedMemoryUse::kOff) {
      ShmHost& host = *this;
      hub_ = std::make_unique<ShmHub>(options_, wake_fd_, logger, host);
    }
    // The program's signals are for the program's threads.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::make_unique<std::thread>([this] { run_on_io(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_setname_np(thread_->native_handle(), "dtrain-io");
  } catch (...) {
    if (listener_ != nullptr) zmq_close(listener_);
    release_context();
    throw;
  }
}

ZmqEndpoint::~ZmqEndpoint() {
  if (getpid() != pid_) {
    // The I/O thread and libzmq's stayed in the parent: there is nothing to join or to close
    // here, and what stands for them is left alone.
    static_cast<void>(thread_.release());
    static_cast<void>(resolver_.release());
    static_cast<void>(hub_.release());
    return;
  }
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake();
  thread_->join();
  hub_.reset();
  release_context();
}

void ZmqEndpoint::release_context() {
  while (zmq_ctx_term(context_) != 0 && errno == EINTR) {
  }
  if (wake_fd_ >= 0) ::close(wake_fd_);
  if (poll_fd_ >= 0) ::close(poll_fd_);
}

void ZmqEndpoint::check_not_forked() const {
  if (getpid() == pid_) return;
  throw Error(ErrorCode::kFailedPrecondition,
              base::str_cat("An endpoint of process ", pid_, " was used in process ", getpid(),
                            ", which was forked from it"),
              "Create the cluster after forking, or start processes with exec (Python: the spawn "
              "start method)");
}

void ZmqEndpoint::set_handler(Service service, Handler* handler) {
  check_not_forked();
  dispatcher_.set_handler(service, handler);
  if (handler != nullptr) wake();
}

void ZmqEndpoint::post(std::function<void()> function) {
  check_not_forked();
  {
    base::MutexLock lock(mutex_);
    if (stopping_) return;
    posted_.push_back(std::move(function));
    if (std::exchange(awake_, true)) return;
  }
  wake();
}

void ZmqEndpoint::wake() {
  const std::uint64_t one = 1;
  // It can only fail when the counter is full, and then the thread is awake anyway.
  static_cast<void>(!write(wake_fd_, &one, sizeof(one)));
}

void ZmqEndpoint::watch(int fd, std::uint64_t key) const {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = key;
  if (epoll_ctl(poll_fd_, EPOLL_CTL_ADD, fd, &event) != 0) {
    throw Error(ErrorCode::kResourceExhausted,
                base::str_cat("The kernel does not watch one more socket: ", zmq_strerror(errno)),
                "Raise fs.epoll.max_user_watches or the limit of open files (ulimit -n)");
  }
}

EndpointCounters ZmqEndpoint::counters() const {
  EndpointCounters counters = gate_.counters();
  counters.exceptions = dispatcher_.exceptions();
  if (hub_) {
    const ShmContext& context = hub_->context();
    counters.shared_bytes_sent = context.bytes_sent.load(std::memory_order_relaxed);
    counters.shared_bytes_received = context.bytes_received.load(std::memory_order_relaxed);
    counters.staged_bytes = context.bytes_staged.load(std::memory_order_relaxed);
  }
  return counters;
}

base::Status check_zmq_version(int major, int minor, int patch) {
  if (std::array{major, minor, patch} >= std::array{4, 3, 3}) return {};
  return Error(ErrorCode::kUnimplemented,
               base::str_cat("libzmq ", major, ".", minor, ".", patch,
                             " is loaded, dtrain needs 4.3.3 or newer"),
               "Install a newer libzmq (Debian: libzmq5), and look at LD_LIBRARY_PATH and "
               "LD_PRELOAD for an old one");
}

std::unique_ptr<Endpoint> make_zmq_endpoint(const EndpointOptions& options,
                                            observe::Logger logger) {
  int major = 0;
  int minor = 0;
  int patch = 0;
  zmq_version(&major, &minor, &patch);
  if (base::Status status = check_zmq_version(major, minor, patch)) throw *status;
  return std::make_unique<ZmqEndpoint>(options, logger);
}

}  // namespace dtrain::inline v0::transport
