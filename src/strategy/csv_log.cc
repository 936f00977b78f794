#include "strategy/csv_log.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::strategy {
namespace {

/// The shortest text that reads as this number again.
std::string number(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof(text), value).ptr;
  return {text, end};
}

/// As RFC 4180 quotes it.
std::string field(const std::string& text, char separator) {
  const char special[] = {separator, '"', '\n', '\r', '\0'};
  if (text.find_first_of(special) == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char letter : text)
    quoted += letter == '"' ? std::string("\"\"") : std::string(1, letter);
  return quoted + "\"";
}

/// Keras's CSVLogger: the columns are those of the first epoch, sorted, and without validation
/// there those of a validation too.
class CsvLog final : public Callback {
 public:
  explicit CsvLog(const CsvLogger& options) : options_(options) {
    if (!options.filename.empty()) return;
    throw Error(ErrorCode::kInvalidArgument, "CsvLogger::filename is empty", "Name a file");
  }

  void on_train_begin(FitSession& session) override {
    columns_.clear();
    if (!session.is_chief()) return;
    has_header_ = false;
    if (options_.append) {
      std::ifstream existing(options_.filename);
      has_header_ = existing.peek() != std::ifstream::traits_type::eof();
    }
    errno = 0;
    file_.open(options_.filename, options_.append ? std::ios::app : std::ios::trunc);
    require(file_.is_open(), "be opened");
  }

  void on_epoch_end(FitSession& session, int epoch, Logs& logs) override {
    if (!session.is_chief()) return;
    if (columns_.empty()) choose_columns(logs);
    std::vector<std::string> cells = {std::to_string(epoch)};
    for (const std::string& column : columns_) {
      const auto found = logs.find(column);
      cells.push_back(found == logs.end() ? "NA" : number(found->second));
    }
    write_line(cells);
  }

  void on_train_end(FitSession& /*session*/) override {
    if (file_.is_open()) file_.close();
  }

 private:
  void choose_columns(const Logs& logs) {
    bool validation = false;
    for (const auto& [name, value] : logs) {
      columns_.push_back(name);
      validation = validation || name.starts_with("val_");
    }
    for (std::size_t i = 0; !validation && i < logs.size(); ++i) {
      columns_.push_back("val_" + columns_[i]);
    }
    if (has_header_) return;
    std::vector<std::string> header = {"epoch"};
    for (const std::string& column : columns_) header.push_back(field(column, options_.separator));
    write_line(header);
  }

  void write_line(const std::vector<std::string>& cells) {
    errno = 0;
    file_ << base::join(cells, std::string(1, options_.separator).c_str()) << '\n' << std::flush;
    require(file_.good(), "be written");
  }

  void require(bool well, const char* what) const {
    if (well) return;
    throw Error(ErrorCode::kUnavailable,
                base::str_cat("\"", options_.filename, "\" of CsvLogger cannot ", what, ": ",
                              std::strerror(errno)),
                "Name a file in a folder that this process may write to");
  }

  const CsvLogger options_;
  std::ofstream file_;
  std::vector<std::string> columns_;
  bool has_header_ = false;
};

}  // namespace

std::shared_ptr<Callback> make_csv_log(const CsvLogger& options) {
  return std::make_shared<CsvLog>(options);
}

}  // namespace dtrain::inline v0::strategy
