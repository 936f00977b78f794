#include "strategy/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "base/strings.h"
#include "strategy/evaluator.h"

namespace dtrain::inline v0::strategy {
namespace {

constexpr std::size_t kBarWidth = 24;

std::string fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof(text), "%.*f", digits, value);
  return text;
}

std::string format_value(double value) {
  const double size = std::abs(value);
  char text[64];
  std::snprintf(text, sizeof(text), size != 0 && (size < 1e-3 || size >= 1e5) ? "%.4e" : "%.4f",
                value);
  return text;
}

/// Columns of the terminal; what suits most when it cannot be told.
std::size_t terminal_columns() {
  winsize size{};
  const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 120;
}

/// A line that wraps cannot be drawn over.
std::string cut_to_terminal(std::string line) {
  const std::size_t columns = terminal_columns();
  if (line.size() >= columns) line.resize(columns - 1);
  return line;
}

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

}  // namespace

std::string format_duration(double seconds) {
  const auto whole = static_cast<long long>(std::max(0.0, seconds) + 0.5);
  if (whole < 60) return base::str_cat(whole, " s");
  if (whole < 3600) return base::str_cat(whole / 60, " min ", whole % 60, " s");
  const long long minutes = whole / 60 % 60;
  return base::str_cat(whole / 3600, " h ", minutes < 10 ? "0" : "", minutes, " min");
}

std::string format_logs(const Logs& logs) {
  std::vector<std::pair<std::string, double>> ordered(logs.begin(), logs.end());
  const auto order = [](const std::string& name) {
    const bool validation = name.starts_with("val_");
    const std::string plain = validation ? name.substr(4) : name;
    return std::pair(validation, plain == "loss" ? std::string() : plain);
  };
  std::ranges::sort(ordered, {}, [&](const auto& log) { return order(log.first); });
  std::vector<std::string> parts;
  for (const auto& [name, value] : ordered) parts.push_back(name + ": " + format_value(value));
  return base::join(parts, " - ");
}

Progress::Progress(Verbosity verbosity, int epochs, std::size_t steps_per_epoch)
    : verbosity_(verbosity), epochs_(epochs), steps_per_epoch_(steps_per_epoch) {
  if (verbosity_ == Verbosity::kAuto) {
    verbosity_ = isatty(STDOUT_FILENO) != 0 ? Verbosity::kProgress : Verbosity::kLines;
  }
}

void Progress::start_epoch(int epoch, std::uint64_t examples_before) {
  epoch_ = epoch;
  examples_ = 0;
  examples_before_ = examples_before;
  epoch_start_ = clock_.now();
  redraw_at_ = epoch_start_;
}

void Progress::step(std::size_t steps_done, const model::Sums& sums,
                    const model::Objectives& objectives) {
  examples_ = sums.examples - examples_before_;
  if (verbosity_ != Verbosity::kProgress || clock_.now() < redraw_at_) return;
  redraw_at_ = clock_.now() + std::chrono::milliseconds(100);
  show_bar(steps_done, to_logs(sums, objectives, ""));
}

std::string Progress::bar(std::size_t steps_done, double elapsed) const {
  const std::size_t steps = steps_per_epoch_;
  if (steps == 0) {  // only their end will tell
    return base::str_cat(steps_done, " steps - ", format_duration(elapsed), " - ");
  }
  const std::size_t width = terminal_columns() >= 120 ? kBarWidth : kBarWidth / 3;
  const std::size_t filled = std::min(width, width * steps_done / steps);
  const double left = elapsed / static_cast<double>(std::max<std::size_t>(steps_done, 1)) *
                      static_cast<double>(steps - std::min(steps, steps_done));
  return base::str_cat("[", std::string(filled, '='), std::string(width - filled, '.'), "] ",
                       steps_done, "/", steps, " - ", steps_done < steps ? "ETA " : "",
                       format_duration(left), " - ");
}

void Progress::show_bar(std::size_t steps_done, const Logs& logs) {
  const double elapsed = std::chrono::duration<double>(clock_.now() - epoch_start_).count();
  std::string line = base::str_cat(
      "Epoch ", epoch_ + 1, "/", epochs_, " ", bar(steps_done, elapsed),
      static_cast<std::uint64_t>(static_cast<double>(examples_) / std::max(elapsed, 1e-9)),
      " examples/s - ", format_logs(logs));
  line = cut_to_terminal(std::move(line));
  const std::size_t width = line.size();
  if (width < drawn_width_) line.append(drawn_width_ - width, ' ');
  drawn_width_ = width;
  print("\r" + line);
}

void Progress::end_epoch(const Logs& logs) {
  if (verbosity_ == Verbosity::kSilent) return;
  const double elapsed = std::chrono::duration<double>(clock_.now() - epoch_start_).count();
  const std::string line = base::str_cat(
      "Epoch ", epoch_ + 1, "/", epochs_, " - ", fixed(elapsed, 2), " s - ",
      static_cast<std::uint64_t>(static_cast<double>(examples_) / std::max(elapsed, 1e-9)),
      " examples/s - ", format_logs(logs));
  if (verbosity_ == Verbosity::kProgress) {
    const std::size_t padding = line.size() < drawn_width_ ? drawn_width_ - line.size() : 0;
    print("\r" + line + std::string(padding, ' ') + "\n");
    drawn_width_ = 0;
  } else {
    print(line + "\n");
  }
}

}  // namespace dtrain::inline v0::strategy
