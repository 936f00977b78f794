#include <memory>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/strings.h"
#include "data/examples.h"
#include "data/transforms.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::data {

namespace {

using Pieces = std::vector<Examples>;

/// What the passes of one cache() share. Thread-safe.
class Cache {
 public:
  /// Null until a pass came to its end.
  std::shared_ptr<const Pieces> pieces() {
    const base::MutexLock lock(mutex_);
    return pieces_;
  }
  void set(Pieces pieces) {
    auto kept = std::make_shared<const Pieces>(std::move(pieces));
    const base::MutexLock lock(mutex_);
    if (!pieces_) pieces_ = std::move(kept);
  }

 private:
  base::Mutex mutex_;
  std::shared_ptr<const Pieces> pieces_ DTRAIN_GUARDED_BY(mutex_);
};

class CachedStream final : public Stream {
 public:
  explicit CachedStream(std::shared_ptr<const Pieces> pieces) : pieces_(std::move(pieces)) {}

  bool next(Examples& out) override {
    if (next_ == pieces_->size()) return false;
    const Examples& piece = (*pieces_)[next_++];
    prepare(out, piece);
    append(out, piece, 0, piece.size());
    return true;
  }

 private:
  const std::shared_ptr<const Pieces> pieces_;
  std::size_t next_ = 0;
};

class FillingStream final : public Stream {
 public:
  FillingStream(std::unique_ptr<Stream> from, std::shared_ptr<Cache> cache, std::uint64_t bytes_max)
      : from_(std::move(from)), cache_(std::move(cache)), bytes_max_(bytes_max) {}

  bool next(Examples& out) override {
    if (!from_->next(out)) {
      cache_->set(std::move(pieces_));
      return false;
    }
    bytes_ += memory_bytes(out);
    if (bytes_ > bytes_max_) {
      throw Error(ErrorCode::kResourceExhausted,
                  base::str_cat("the examples take more than the ", bytes_max_,
                                " bytes that cache() may keep"),
                  "Give it more memory, cache before what makes examples larger, or not at all");
    }
    pieces_.push_back(empty_like(out));
    reserve(pieces_.back(), out.size());
    append(pieces_.back(), out, 0, out.size());
    return true;
  }

 private:
  const std::unique_ptr<Stream> from_;
  const std::shared_ptr<Cache> cache_;
  const std::uint64_t bytes_max_;
  std::uint64_t bytes_ = 0;
  Pieces pieces_;
};

}  // namespace

OpenStream cache(OpenStream open, std::uint64_t memory_bytes_max) {
  return [open = std::move(open), memory_bytes_max,
          cache = std::make_shared<Cache>()](std::uint64_t pass) -> std::unique_ptr<Stream> {
    if (auto pieces = cache->pieces()) return std::make_unique<CachedStream>(std::move(pieces));
    return std::make_unique<FillingStream>(open(pass), cache, memory_bytes_max);
  };
}

}  // namespace dtrain::inline v0::data
