// Words and integers become numbers: StringLookup, IntegerLookup, Hashing.
#include <array>
#include <charconv>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/strings.h"
#include "dtrain/error.h"
#include "model/layer_builder.h"

namespace dtrain::inline v0::model {
namespace {

/// An integer's decimal digits, as tf.as_string writes them.
class Digits {
 public:
  explicit Digits(std::int64_t value) {
    end_ = std::to_chars(text_.data(), text_.data() + text_.size(), value).ptr;
  }
  std::string_view text() const {
    return {text_.data(), static_cast<std::size_t>(end_ - text_.data())};
  }

 private:
  std::array<char, 24> text_{};
  char* end_ = nullptr;
};

/// Whether Digits would write an integer so.
bool is_integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && Digits(value).text() == text;
}

/// More numbers than any table has rows.
constexpr std::int64_t kOovMax = std::int64_t{1} << 60;

std::string shown(std::string_view word) {
  constexpr std::size_t kShownMax = 40;
  return base::str_cat("\"", word.substr(0, kShownMax), word.size() > kShownMax ? "...\"" : "\"");
}
std::string shown(std::int64_t number) { return base::str_cat(number); }

std::uint64_t bucket_of(std::string_view word, std::int64_t buckets) {
  return fingerprint64(word) % static_cast<std::uint64_t>(buckets);
}
/// Keras spreads integers that are not in the vocabulary by their remainder.
std::uint64_t bucket_of(std::int64_t number, std::int64_t buckets) {
  const std::int64_t remainder = number % buckets;
  return static_cast<std::uint64_t>(remainder < 0 ? remainder + buckets : remainder);
}

/// `Owned` is what a vocabulary holds, `Key` what data hold.
template <typename Owned, typename Key>
class LookupOperation final : public HostOperation {
 public:
  LookupOperation(std::string where, std::vector<Owned> vocabulary, std::int64_t oov,
                  const std::optional<Owned>& mask)
      : where_(std::move(where)), vocabulary_(std::move(vocabulary)), oov_(oov), mask_(mask) {
    numbers_.reserve(vocabulary_.size() + 1);
    const std::int64_t first = oov_begin() + oov_;
    for (std::size_t i = 0; i < vocabulary_.size(); ++i) {
      numbers_.emplace(vocabulary_[i], first + static_cast<std::int64_t>(i));
    }
    if (mask_) numbers_.emplace(*mask_, 0);
  }
  LookupOperation(const LookupOperation&) = delete;
  LookupOperation& operator=(const LookupOperation&) = delete;

  DType output_dtype() const override { return DType::kInt64; }
  tensor::View run(const HostInput& in, HostBuffer& out) const override {
    const auto keys = in.view.template as<Key>();
    out.integers.resize(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const auto found = numbers_.find(keys[i]);
      if (found != numbers_.end()) {
        out.integers[i] = found->second;
        continue;
      }
      if (oov_ == 0) {
        throw Error(ErrorCode::kInvalidArgument,
                    base::str_cat(where_, in.describe(i), " is ", shown(keys[i]),
                                  ", which is not in the vocabulary of ", vocabulary_.size()),
                    "Add it to the vocabulary, or give num_oov_indices of at least 1");
      }
      out.integers[i] = oov_begin() + static_cast<std::int64_t>(bucket_of(keys[i], oov_));
    }
    return tensor::view_of(std::span<const std::int64_t>(out.integers), {});
  }

 private:
  std::int64_t oov_begin() const { return mask_ ? 1 : 0; }

  const std::string where_;
  const std::vector<Owned> vocabulary_;
  const std::int64_t oov_;
  const std::optional<Owned> mask_;
  std::unordered_map<Key, std::int64_t> numbers_;  ///< Its keys borrow the vocabulary's text.
};

class HashingOperation final : public HostOperation {
 public:
  explicit HashingOperation(const Hashing& layer)
      : bins_(layer.num_bins), mask_(layer.mask_value) {}

  DType output_dtype() const override { return DType::kInt64; }
  tensor::View run(const HostInput& in, HostBuffer& out) const override {
    out.integers.resize(in.view.count);
    if (in.view.dtype == DType::kString) {
      const auto words = in.view.as<std::string_view>();
      for (std::size_t i = 0; i < words.size(); ++i) out.integers[i] = bin_of(words[i]);
    } else {
      const auto numbers = in.view.as<std::int64_t>();
      for (std::size_t i = 0; i < numbers.size(); ++i) {
        out.integers[i] = bin_of(Digits(numbers[i]).text());
      }
    }
    return tensor::view_of(std::span<const std::int64_t>(out.integers), {});
  }

 private:
  std::int64_t bin_of(std::string_view word) const {
    if (!mask_) return static_cast<std::int64_t>(bucket_of(word, bins_));
    return word == *mask_ ? 0 : 1 + static_cast<std::int64_t>(bucket_of(word, bins_ - 1));
  }

  const std::int64_t bins_;
  const std::optional<std::string> mask_;
};

template <typename Owned, typename Key, typename Kind>
void build_lookup(const Kind& layer, const char* kind, DType dtype, LayerBuilder& builder) {
  builder.take_host({dtype});
  if (layer.vocabulary.empty()) {
    builder.refuse(
        base::str_cat(kind, " has no vocabulary"),
        "Give one (adapt_vocabulary() makes it of data), or use Hashing, which needs none");
  }
  if (layer.num_oov_indices < 0 || layer.num_oov_indices > kOovMax) {
    builder.refuse(base::str_cat(kind, "::num_oov_indices is ", layer.num_oov_indices),
                   base::str_cat("Give 0 to ", kOovMax));
  }
  std::unordered_map<Key, std::size_t> places;
  for (std::size_t i = 0; i < layer.vocabulary.size(); ++i) {
    const auto [first, is_new] = places.emplace(layer.vocabulary[i], i);
    if (!is_new) {
      builder.refuse(base::str_cat(kind, "::vocabulary has ", shown(layer.vocabulary[i]),
                                   " twice, at ", first->second, " and ", i),
                     "Give every word once");
    }
    if (layer.vocabulary[i] != layer.mask_token) continue;
    builder.refuse(base::str_cat(kind, "::vocabulary has the mask_token ",
                                 shown(layer.vocabulary[i]), ", at ", i),
                   "Leave it out: its number is 0");
  }
  builder.emit(std::make_unique<LookupOperation<Owned, Key>>(
                   builder.where(), layer.vocabulary, layer.num_oov_indices, layer.mask_token),
               builder.input().shape);
}

}  // namespace

void build(const StringLookup& layer, LayerBuilder& builder) {
  build_lookup<std::string, std::string_view>(layer, "StringLookup", DType::kString, builder);
}

void build(const IntegerLookup& layer, LayerBuilder& builder) {
  build_lookup<std::int64_t, std::int64_t>(layer, "IntegerLookup", DType::kInt64, builder);
}

void build(const Hashing& layer, LayerBuilder& builder) {
  builder.take_host({DType::kString, DType::kInt64});
  const std::int64_t bins_min = layer.mask_value ? 2 : 1;
  if (layer.num_bins < bins_min) {
    builder.refuse(base::str_cat("Hashing::num_bins is ", layer.num_bins),
                   base::str_cat("Give at least ", bins_min));
  }
  if (builder.input().dtype == DType::kInt64 && layer.mask_value &&
      !is_integer(*layer.mask_value)) {
    builder.refuse(base::str_cat("Hashing::mask_value is \"", *layer.mask_value,
                                 "\", but the input is integers"),
                   "Give an integer, without a sign or zeros that it would not be written with");
  }
  builder.emit(std::make_unique<HashingOperation>(layer), builder.input().shape);
}

}  // namespace dtrain::inline v0::model
