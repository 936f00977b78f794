#include <cstddef>
#include <utility>
#include <vector>

#include "base/philox.h"
#include "data/examples.h"
#include "data/transforms.h"

namespace dtrain::inline v0::data {

namespace {

// Keeps these random numbers apart from others of the same seed ("buffer" in ASCII).
constexpr std::uint64_t kStream = 0x6275666665720000;

/// Examples stay in the pieces that they came in until a piece's last one has gone; when few are
/// left of many, they are copied together.
class ShuffleStream final : public Stream {
 public:
  ShuffleStream(std::unique_ptr<Stream> from, std::size_t buffer, std::uint64_t seed,
                std::uint64_t pass)
      : from_(std::move(from)), buffer_(buffer), random_(seed, kStream + pass) {}

  bool next(Examples& out) override {
    for (std::size_t count = 0; count < kPieceExamples; ++count) {
      while (waiting_.size() < buffer_ && has_next()) waiting_.push_back({last_, next_row_++});
      if (waiting_.empty()) return count > 0;
      Place& chosen = waiting_[random_.below(waiting_.size())];
      const Place place = std::exchange(chosen, waiting_.back());
      waiting_.pop_back();
      if (count == 0) prepare(out, pieces_[place.piece].examples);
      append(out, pieces_[place.piece].examples, place.row, 1);
      release(place.piece);
    }
    return true;
  }

 private:
  struct Piece {
    Examples examples;
    std::size_t rows = 0;
    std::size_t left = 0;  // Of its rows, those that have not gone yet.
  };
  struct Place {
    std::size_t piece;
    std::size_t row;
  };

  /// Whether row next_row_ of pieces_[last_] is there; gets another piece when one is used up.
  bool has_next() {
    if (at_end_) return false;
    if (!pieces_.empty() && next_row_ < pieces_[last_].rows) return true;
    if (rows_ > 4 * (buffer_ + kPieceExamples)) compact();
    if (free_.empty()) {
      free_.push_back(pieces_.size());
      pieces_.emplace_back();
    }
    Piece& piece = pieces_[free_.back()];
    at_end_ = !from_->next(piece.examples);
    if (at_end_) return false;
    last_ = free_.back();
    free_.pop_back();
    next_row_ = 0;
    piece.rows = piece.left = piece.examples.size();
    rows_ += piece.rows;
    return true;
  }

  void release(std::size_t index) {
    Piece& piece = pieces_[index];
    if (--piece.left > 0) return;
    rows_ -= piece.rows;
    free_.push_back(index);
  }

  /// Puts those that wait into one piece. Called when all rows of the last piece wait or have gone.
  void compact() {
    prepare(together_, pieces_[last_].examples);
    for (std::size_t i = 0; i < waiting_.size(); ++i) {
      append(together_, pieces_[waiting_[i].piece].examples, waiting_[i].row, 1);
      waiting_[i] = {0, i};
    }
    rows_ = waiting_.size();
    std::swap(pieces_[0].examples, together_);
    pieces_[0].rows = pieces_[0].left = rows_;
    free_.clear();
    for (std::size_t i = rows_ == 0 ? 0 : 1; i < pieces_.size(); ++i) free_.push_back(i);
    last_ = 0;
    next_row_ = rows_;
  }

  const std::unique_ptr<Stream> from_;
  const std::size_t buffer_;
  base::PhiloxStream random_;
  std::vector<Place> waiting_;
  std::vector<Piece> pieces_;
  std::vector<std::size_t> free_;  // Pieces that nobody waits in.
  std::size_t last_ = 0;           // The piece that came last, and
  std::size_t next_row_ = 0;       // its first row that has not begun to wait.
  std::size_t rows_ = 0;           // Of all pieces that are not free.
  Examples together_;
  bool at_end_ = false;
};

}  // namespace

OpenStream shuffle(OpenStream open, std::size_t buffer, std::uint64_t seed) {
  return [open = std::move(open), buffer, seed](std::uint64_t pass) {
    return std::make_unique<ShuffleStream>(open(pass), buffer, seed, pass);
  };
}

}  // namespace dtrain::inline v0::data
