#include "strategy/arena_io.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <vector>

#include "base/strings.h"
#include "compute/optimizer.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::strategy {
namespace {

constexpr const char* kOptimizerStep = "optimizer/iterations";
constexpr const char* kOptimizerText = "optimizer/description";

/// "Adam" of "Adam(learning_rate=...)".
std::string kind_of(const std::string& description) {
  return description.substr(0, description.find('('));
}

std::string part_name(const std::string& variable, const Optimizer& optimizer, int part) {
  return part == 0 ? variable : slot_tensor_name(variable, optimizer, part);
}

[[noreturn]] void refuse(const checkpoint::Reader& reader, const std::string& what) {
  throw Error(ErrorCode::kFailedPrecondition,
              base::str_cat("\"", reader.path(), "\" cannot be resumed from: ", what),
              "Use the model and optimizer that it was saved with, or give another "
              "checkpoint_dir, or start anew with .checkpoint = {.resume = false}");
}

void check_optimizer(const checkpoint::Reader& reader, const Optimizer& optimizer,
                     const observe::Logger& logger) {
  const std::string ours = to_string(optimizer);
  const std::string theirs = reader.find(kOptimizerText) ? reader.read_text(kOptimizerText) : "";
  if (kind_of(theirs) != kind_of(ours)) {
    refuse(reader, base::str_cat("it was saved with the optimizer ", theirs.substr(0, 200),
                                 ", the model is compiled with ", ours));
  }
  if (theirs == ours) return;
  logger.warning("\"", reader.path(), "\" was saved with ", theirs.substr(0, 200),
                 "; the training goes on with ", ours);
}

}  // namespace

std::string slot_tensor_name(const std::string& variable, const Optimizer& optimizer, int slot) {
  std::string kind = kind_of(to_string(optimizer));
  std::ranges::transform(kind, kind.begin(), [](unsigned char letter) {
    return static_cast<char>(std::tolower(letter));
  });
  const compute::Slots slots = compute::slots_of(optimizer);
  return base::str_cat(variable, "/", kind, "/", slots[static_cast<std::size_t>(slot) - 1].name);
}

void save_arenas(checkpoint::Writer& writer, const tensor::Layout& layout,
                 const Optimizer& optimizer, std::uint64_t step, const ReadPart& read) {
  for (int part = 0; part <= compute::slot_count(optimizer); ++part) {
    for (const tensor::LayoutEntry& entry : layout.entries()) {
      const checkpoint::TensorInfo info{part_name(entry.name, optimizer, part),
                                        checkpoint::DType::kFloat32, entry.shape};
      writer.add(info, checkpoint::whole(info));
      for (std::size_t at = entry.offset; at < entry.end();) {
        const std::span<const float> piece = read(part, at, entry.end() - at);
        writer.append(std::as_bytes(piece));
        at += piece.size();
      }
    }
  }
  checkpoint::write_integer(writer, kOptimizerStep, static_cast<std::int64_t>(step));
  checkpoint::write_text(writer, kOptimizerText, to_string(optimizer));
}

void check_arenas(const checkpoint::Reader& reader, const tensor::Layout& layout,
                  std::span<const RowTable> rows, const Optimizer& optimizer,
                  const observe::Logger& logger) {
  check_optimizer(reader, optimizer, logger);
  std::vector<std::pair<std::string, Shape>> variables;
  for (const tensor::LayoutEntry& entry : layout.entries()) {
    variables.emplace_back(entry.name, entry.shape);
  }
  for (const RowTable& table : rows) {
    variables.emplace_back(table.name, Shape{table.rows, table.width});
  }
  std::set<std::string> expected;
  for (const auto& [variable, shape] : variables) {
    for (int part = 0; part <= compute::slot_count(optimizer); ++part) {
      const std::string name = part_name(variable, optimizer, part);
      const checkpoint::TensorInfo* info = reader.find(name);
      const std::string ours = tensor::to_string(shape);
      if (!info) refuse(reader, base::str_cat("it has no \"", name, "\" ", ours));
      if (info->dtype != checkpoint::DType::kFloat32 || info->shape != shape) {
        refuse(reader,
               base::str_cat("its \"", name, "\" is ", checkpoint::dtype_name(info->dtype), " ",
                             tensor::to_string(info->shape), ", the model's float32 ", ours));
      }
      expected.insert(name);
    }
  }
  for (const checkpoint::TensorInfo& info : reader.tensors()) {
    if (info.dtype != checkpoint::DType::kFloat32 || expected.contains(info.name)) continue;
    refuse(reader, base::str_cat("its \"", info.name, "\" ", tensor::to_string(info.shape),
                                 " belongs to nothing in the model or its optimizer"));
  }
}

std::uint64_t restore_arenas(const checkpoint::Reader& reader, const tensor::Layout& layout,
                             const Optimizer& optimizer, const WritePart& write) {
  std::vector<float> buffer;
  for (int part = 0; part <= compute::slot_count(optimizer); ++part) {
    for (const tensor::LayoutEntry& entry : layout.entries()) {
      const std::string name = part_name(entry.name, optimizer, part);
      for (std::size_t at = entry.offset; at < entry.end(); at += buffer.size()) {
        buffer.resize(std::min(kPieceElements, entry.end() - at));
        reader.read(name, at - entry.offset, std::as_writable_bytes(std::span(buffer)));
        write(part, at, buffer);
      }
    }
  }
  const std::int64_t step = checkpoint::read_integer(reader, kOptimizerStep);
  if (step < 0) refuse(reader, base::str_cat("its \"", kOptimizerStep, "\" is ", step));
  return static_cast<std::uint64_t>(step);
}

namespace {

/// Calls `move(part, first row, rows)` for pieces that cover the table and its slots.
void for_each_piece(const RowTable& table, const Optimizer& optimizer,
                    const std::function<void(int, std::uint64_t, std::size_t)>& move) {
  const auto rows = static_cast<std::uint64_t>(table.rows);
  const auto piece =
      std::max<std::uint64_t>(kPieceElements / static_cast<std::uint64_t>(table.width), 1);
  for (int part = 0; part <= compute::slot_count(optimizer); ++part) {
    for (std::uint64_t first = 0; first < rows; first += piece) {
      move(part, first, static_cast<std::size_t>(std::min(piece, rows - first)));
    }
  }
}

}  // namespace

void save_rows(checkpoint::Writer& writer, const RowTable& table, const Optimizer& optimizer,
               const ReadRows& read) {
  std::vector<float> buffer;
  for_each_piece(table, optimizer, [&](int part, std::uint64_t first, std::size_t rows) {
    if (first == 0) {
      const checkpoint::TensorInfo info{part_name(table.name, optimizer, part),
                                        checkpoint::DType::kFloat32,
                                        {table.rows, table.width}};
      writer.add(info, checkpoint::whole(info));
    }
    buffer.resize(rows * static_cast<std::size_t>(table.width));
    read(part, first, buffer);
    writer.append(std::as_bytes(std::span(std::as_const(buffer))));
  });
}

void restore_rows(const checkpoint::Reader& reader, const RowTable& table,
                  const Optimizer& optimizer, const WriteRows& write) {
  std::vector<float> buffer;
  for_each_piece(table, optimizer, [&](int part, std::uint64_t first, std::size_t rows) {
    const auto width = static_cast<std::size_t>(table.width);
    buffer.resize(rows * width);
    reader.read(part_name(table.name, optimizer, part), first * width,
                std::as_writable_bytes(std::span(buffer)));
    write(part, first, buffer);
  });
}

}  // namespace dtrain::inline v0::strategy
