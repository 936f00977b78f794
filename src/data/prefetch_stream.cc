#include <deque>
#include <exception>
#include <thread>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "data/transforms.h"

namespace dtrain::inline v0::data {

namespace {

/// A thread of its own pulls pieces until `pieces` of them wait. Its waits end when a piece is
/// taken or the stream goes; the reader's, when the thread has a piece, an error, or the end.
class PrefetchStream final : public Stream {
 public:
  PrefetchStream(std::unique_ptr<Stream> from, std::size_t pieces)
      : from_(std::move(from)), pieces_max_(pieces), thread_([this] { work(); }) {}

  ~PrefetchStream() override {
    {
      const base::MutexLock lock(mutex_);
      stopped_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  bool next(Examples& out) override {
    base::MutexLock lock(mutex_);
    while (ready_.empty() && !done_) changed_.wait(mutex_);
    if (ready_.empty()) {
      if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
      return false;
    }
    std::swap(out, ready_.front());
    spare_.push_back(std::move(ready_.front()));
    ready_.pop_front();
    changed_.notify_all();
    return true;
  }

 private:
  void work() {
    try {
      Examples piece;
      while (from_->next(piece)) {
        if (!hand_over(piece)) return;
      }
      finish(nullptr);
    } catch (...) {
      finish(std::current_exception());
    }
  }

  /// Exchanges the piece for memory to use again; false when nobody wants any more.
  bool hand_over(Examples& piece) {
    base::MutexLock lock(mutex_);
    while (ready_.size() >= pieces_max_ && !stopped_) changed_.wait(mutex_);
    if (stopped_) return false;
    ready_.push_back(std::move(piece));
    piece = {};
    if (!spare_.empty()) {
      piece = std::move(spare_.back());
      spare_.pop_back();
    }
    changed_.notify_all();
    return true;
  }

  void finish(std::exception_ptr error) {
    const base::MutexLock lock(mutex_);
    error_ = std::move(error);
    done_ = true;
    changed_.notify_all();
  }

  const std::unique_ptr<Stream> from_;  // The thread's alone.
  const std::size_t pieces_max_;
  base::Mutex mutex_;
  base::Condition changed_;
  std::deque<Examples> ready_ DTRAIN_GUARDED_BY(mutex_);
  std::vector<Examples> spare_ DTRAIN_GUARDED_BY(mutex_);
  std::exception_ptr error_ DTRAIN_GUARDED_BY(mutex_);
  bool done_ DTRAIN_GUARDED_BY(mutex_) = false;
  bool stopped_ DTRAIN_GUARDED_BY(mutex_) = false;
  std::thread thread_;  // Last: it uses the others.
};

}  // namespace

OpenStream prefetch(OpenStream open, std::size_t pieces) {
  return [open = std::move(open), pieces](std::uint64_t pass) {
    return std::make_unique<PrefetchStream>(open(pass), pieces);
  };
}

}  // namespace dtrain::inline v0::data
