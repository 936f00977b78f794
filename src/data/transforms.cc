#include "data/transforms.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "data/examples.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::data {

namespace {

class ShardStream final : public Stream {
 public:
  ShardStream(std::unique_ptr<Stream> from, std::uint64_t workers, std::uint64_t rank)
      : from_(std::move(from)), workers_(workers), next_(rank) {}

  bool next(Examples& out) override {
    while (from_->next(in_)) {
      const std::size_t count = in_.size();
      mine_.clear();
      for (; next_ < count; next_ += workers_) mine_.push_back(next_);
      next_ -= count;
      if (mine_.empty()) continue;
      prepare(out, in_);
      append(out, in_, mine_);
      return true;
    }
    return false;
  }

 private:
  const std::unique_ptr<Stream> from_;
  const std::uint64_t workers_;
  std::uint64_t next_;  // This worker's next example, counted from the next piece's first.
  std::vector<std::uint64_t> mine_;
  Examples in_;
};

class MapStream final : public Stream {
 public:
  MapStream(std::unique_ptr<Stream> from, const std::function<void(Examples&)>& change)
      : from_(std::move(from)), change_(change) {}

  bool next(Examples& out) override {
    while (from_->next(out)) {
      change_(out);
      const std::size_t count = check(out, "after map(): ", true);
      if (count == 0) continue;
      if (like_.features.empty()) like_ = sample(out);
      check_alike(like_, out, "a later piece after map()");
      return true;
    }
    return false;
  }

 private:
  const std::unique_ptr<Stream> from_;
  const std::function<void(Examples&)> change_;
  Examples like_;
};

class BatchStream final : public Stream {
 public:
  BatchStream(std::unique_ptr<Stream> from, std::size_t size, bool drop_remainder)
      : from_(std::move(from)), size_(size), drop_remainder_(drop_remainder) {}

  bool next(Examples& out) override {
    if (row_ == rows_ && !fill()) return false;
    if (row_ == 0 && rows_ == size_) {  // The piece is the batch.
      std::swap(out, in_);
      row_ = rows_;
      return true;
    }
    prepare(out, in_);
    std::size_t count = 0;
    do {
      const std::size_t taken = std::min(size_ - count, rows_ - row_);
      append(out, in_, row_, taken);
      row_ += taken;
      count += taken;
    } while (count < size_ && fill());
    return count == size_ || !drop_remainder_;
  }

 private:
  bool fill() {
    row_ = 0;
    at_end_ = at_end_ || !from_->next(in_);
    rows_ = at_end_ ? 0 : in_.size();
    return !at_end_;
  }

  const std::unique_ptr<Stream> from_;
  const std::size_t size_;
  const bool drop_remainder_;
  Examples in_;
  std::size_t row_ = 0;  // The first that is left of in_'s `rows_`.
  std::size_t rows_ = 0;
  bool at_end_ = false;
};

class RepeatStream final : public Stream {
 public:
  RepeatStream(const OpenStream& open, std::uint64_t times, std::uint64_t pass)
      : open_(open), times_(times), first_(pass * times) {}

  bool next(Examples& out) override {
    while (times_ == 0 || done_ < times_) {
      if (!from_) {
        from_ = open_(first_ + done_);
        is_empty_ = true;
      }
      if (from_->next(out)) {
        is_empty_ = false;
        return true;
      }
      if (times_ == 0 && is_empty_) {
        throw Error(ErrorCode::kInvalidArgument,
                    "what is to be repeated without end has no example",
                    "Check the source, and what map() leaves of it");
      }
      from_.reset();
      ++done_;
    }
    return false;
  }

 private:
  const OpenStream open_;
  const std::uint64_t times_;
  const std::uint64_t first_;
  std::uint64_t done_ = 0;
  std::unique_ptr<Stream> from_;
  bool is_empty_ = true;
};

}  // namespace

OpenStream shard(OpenStream open, std::uint64_t workers, std::uint64_t rank) {
  return [open = std::move(open), workers, rank](std::uint64_t pass) {
    return std::make_unique<ShardStream>(open(pass), workers, rank);
  };
}

OpenStream map(OpenStream open, std::function<void(Examples&)> change) {
  return [open = std::move(open), change = std::move(change)](std::uint64_t pass) {
    return std::make_unique<MapStream>(open(pass), change);
  };
}

OpenStream batch(OpenStream open, std::size_t size, bool drop_remainder) {
  return [open = std::move(open), size, drop_remainder](std::uint64_t pass) {
    return std::make_unique<BatchStream>(open(pass), size, drop_remainder);
  };
}

OpenStream repeat(OpenStream open, std::uint64_t times) {
  return [open = std::move(open), times](std::uint64_t pass) {
    return std::make_unique<RepeatStream>(open, times, pass);
  };
}

}  // namespace dtrain::inline v0::data
