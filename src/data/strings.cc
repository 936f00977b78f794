#include <algorithm>
#include <cstring>
#include <utility>

#include "dtrain/examples.h"

namespace dtrain::inline v0 {

namespace {
constexpr std::size_t kBlockBytesMin = 4096;
constexpr std::size_t kBlockBytesMax = std::size_t{1} << 20;
}  // namespace

Strings::Strings(std::initializer_list<std::string_view> texts) {
  for (const std::string_view text : texts) add(text);
}

Strings::Strings(const std::vector<std::string>& texts) {
  reserve(texts.size());
  for (const std::string& text : texts) add(text);
}

Strings::Strings(const Strings& other) {
  reserve(other.size());
  for (const std::string_view text : other.views_) add(text);
}

Strings& Strings::operator=(const Strings& other) {
  if (this != &other) *this = Strings(other);
  return *this;
}

Strings::Strings(Strings&& other) noexcept
    : views_(std::exchange(other.views_, {})),
      blocks_(std::exchange(other.blocks_, {})),
      block_(std::exchange(other.block_, 0)),
      used_(std::exchange(other.used_, 0)) {}

Strings& Strings::operator=(Strings&& other) noexcept {
  std::swap(views_, other.views_);
  std::swap(blocks_, other.blocks_);
  std::swap(block_, other.block_);
  std::swap(used_, other.used_);
  return *this;
}

void Strings::clear() noexcept {
  views_.clear();
  block_ = 0;
  used_ = 0;
}

std::string_view Strings::copy(std::string_view text) {
  if (text.empty()) return {};
  char* const bytes = take(text.size());
  std::memcpy(bytes, text.data(), text.size());
  return {bytes, text.size()};
}

char* Strings::take(std::size_t bytes) {
  while (block_ < blocks_.size() && blocks_[block_].size - used_ < bytes) {
    ++block_;
    used_ = 0;
  }
  if (block_ == blocks_.size()) {
    const std::size_t doubled = blocks_.empty() ? kBlockBytesMin : 2 * blocks_.back().size;
    const std::size_t size = std::max(bytes, std::min(doubled, kBlockBytesMax));
    blocks_.push_back({std::make_unique_for_overwrite<char[]>(size), size});
  }
  char* const taken = blocks_[block_].bytes.get() + used_;
  used_ += bytes;
  return taken;
}

}  // namespace dtrain::inline v0
