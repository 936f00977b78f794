#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "checkpoint/tensor_io.h"
#include "dtrain/optimizer.h"
#include "dtrain/row_table.h"
#include "observe/log.h"
#include "tensor/layout.h"

namespace dtrain::inline v0::strategy {

/// The most elements that a checkpoint moves at a time: what it needs of memory beside the model.
constexpr std::size_t kPieceElements = 1 << 20;

/// What the optimizer keeps for a variable, as a tensor: `dense/kernel/adam/momentum`. Slots count
/// from 1.
std::string slot_tensor_name(const std::string& variable, const Optimizer& optimizer, int slot);

/// Elements of the values (part 0) or of an optimizer slot (part 1, ...) from `begin` on, wherever
/// they lie: `count` of them, or fewer but not none. They stay until the next call.
using ReadPart =
    std::function<std::span<const float>(int part, std::size_t begin, std::size_t count)>;
/// Puts them there. The memory is borrowed until it returns.
using WritePart = std::function<void(int part, std::size_t begin, std::span<const float> values)>;

/// Streams every variable with its slots into a checkpoint, and what says how they were trained.
/// `step` is the optimizer's.
void save_arenas(checkpoint::Writer& writer, const tensor::Layout& layout,
                 const Optimizer& optimizer, std::uint64_t step, const ReadPart& read);

/// Throws failed_precondition that names the first tensor or option in which the checkpoint is of
/// another model or another optimizer. Warns of the same optimizer with other settings. `rows`:
/// tables beside the layout.
void check_arenas(const checkpoint::Reader& reader, const tensor::Layout& layout,
                  std::span<const RowTable> rows, const Optimizer& optimizer,
                  const observe::Logger& logger);

/// The way back, after check_arenas. Returns the optimizer's step.
std::uint64_t restore_arenas(const checkpoint::Reader& reader, const tensor::Layout& layout,
                             const Optimizer& optimizer, const WritePart& write);

/// Fills `values` with consecutive rows of the values (part 0) or of a slot, from `first` on.
using ReadRows = std::function<void(int part, std::uint64_t first, std::span<float> values)>;
/// The way back; the memory is borrowed until it returns.
using WriteRows = std::function<void(int part, std::uint64_t first, std::span<const float> values)>;

/// A table of rows with its slots, as tensors like those of variables: a model that holds the table
/// as a variable takes the same checkpoint.
void save_rows(checkpoint::Writer& writer, const RowTable& table, const Optimizer& optimizer,
               const ReadRows& read);
/// After check_arenas.
void restore_rows(const checkpoint::Reader& reader, const RowTable& table,
                  const Optimizer& optimizer, const WriteRows& write);

}  // namespace dtrain::inline v0::strategy
