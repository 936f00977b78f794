#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dtrain/examples.h"
#include "tensor/view.h"

namespace dtrain::inline v0::data {

/// The names of what Dataset::from_memory and from_csv make of one nameless feature or target.
constexpr std::string_view kFeatures = "features";
constexpr std::string_view kTargets = "targets";

/// Examples that are right, and what is derived from them. What a Dataset shares.
struct Table {
  Examples examples;
  std::size_t size = 0;
  std::vector<FeatureInfo> features;
  std::vector<FeatureInfo> targets;
};

/// Elements of one example.
std::size_t width(const Column& column);
/// Elements of all examples.
std::size_t elements(const Column& column);
FeatureInfo info(const Column& column);
std::vector<FeatureInfo> infos(const std::vector<Column>& columns);
Column empty_column(const FeatureInfo& info);
std::size_t element_bytes(DType dtype);

/// Elements [begin, begin + count).
tensor::View view(const Column& column, std::size_t begin, std::size_t count);
/// Where the first element lies, of bytes that may be copied (a string's std::string_view).
const std::byte* bytes(const Column& column);

/// Forgets the examples; columns, and memory for as many examples, stay.
void clear(Examples& examples);
/// No examples, but the columns of `like`.
Examples empty_like(const Examples& like);
/// The first example alone, with the columns of all.
Examples sample(const Examples& examples);
/// Makes place for `count` examples in all.
void reserve(Examples& examples, std::size_t count);
/// Appends examples [begin, begin + count) of `from`, which has the same columns.
void append(Examples& to, const Examples& from, std::size_t begin, std::size_t count);
/// Appends the examples of `from` that `indices` names.
void append(Examples& to, const Examples& from, std::span<const std::uint64_t> indices);
/// Appends all of `from`, which has the same type.
void append_all(Column& to, const Column& from);
/// An estimate of the memory that they take.
std::uint64_t memory_bytes(const Examples& examples);

/// Puts class ids of the shape {1} into {}; throws what Dataset::from_columns says, and returns the
/// number of examples (0 only when `may_be_empty`). `where` begins messages, e.g. "a.npy: ".
std::size_t check(Examples& examples, std::string_view where, bool may_be_empty = false);
/// Whether they have the same features and targets, by name, type and shape.
bool alike(const Examples& first, const Examples& other);
/// Throws invalid_argument when they have other features, targets or weights; `what` names the
/// examples that are compared to `first`, e.g. "the other data set".
void check_alike(const Examples& first, const Examples& other, std::string_view what);

/// `"age" (float32, (1,)), "city" (string, (1,))`.
std::string list(const std::vector<FeatureInfo>& columns);

}  // namespace dtrain::inline v0::data
