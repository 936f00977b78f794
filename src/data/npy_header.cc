#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

#include "base/strings.h"
#include "data/npy_format.h"
#include "data/number.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::data {

namespace {

/// Reads the dictionary from left to right; whatever is not as NumPy writes it is an error.
class HeaderText {
 public:
  HeaderText(std::string_view text, const std::string& file) : rest_(text), file_(file) {}

  void skip_blanks() {
    const std::size_t begin = rest_.find_first_not_of(" \t\r\n");
    rest_.remove_prefix(std::min(begin, rest_.size()));
  }
  bool accept(char c) {
    skip_blanks();
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void expect(char c) {
    if (!accept(c)) throw unreadable();
  }
  bool accept_word(std::string_view word) {
    skip_blanks();
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  std::string_view quoted() {
    skip_blanks();
    const char quote = rest_.empty() ? '\0' : rest_.front();
    if (quote != '\'' && quote != '"') throw unreadable();
    const std::size_t end = rest_.find(quote, 1);
    if (end == std::string_view::npos) throw unreadable();
    const std::string_view text = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    return text;
  }
  std::int64_t size() {
    skip_blanks();
    std::int64_t value = -1;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
    if (error != std::errc() || value < 0) throw unreadable();
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    accept('L');  // As Python 2 wrote large integers.
    return value;
  }
  bool at_end() {
    skip_blanks();
    return rest_.empty();
  }
  Error unreadable() const {
    return Error(ErrorCode::kInvalidArgument,
                 base::str_cat(file_, " has a header that cannot be read, at ", in_quotes(rest_)),
                 "Check that numpy.save() wrote the file");
  }

 private:
  std::string_view rest_;
  const std::string& file_;
};

void set_type(std::string_view text, const std::string& file, NpyHeader& header) {
  const auto refuse = [&](std::string_view what) {
    return Error(ErrorCode::kInvalidArgument,
                 base::str_cat(file, " holds elements of the type ", in_quotes(text), ", ", what),
                 "Convert it in NumPy, e.g. array.astype(\"float32\")");
  };
  if (text.size() < 2) throw refuse("which is not read");
  const bool has_order = text[0] == '<' || text[0] == '>' || text[0] == '|' || text[0] == '=';
  const char order = has_order ? text[0] : '|';
  const std::string_view type = has_order ? text.substr(1) : text;
  header.kind = type[0];
  std::size_t bytes = 0;
  const char* const last = type.data() + type.size();
  const auto [end, error] = std::from_chars(type.data() + 1, last, bytes);
  if (error != std::errc() || end != last) throw refuse("which is not read");
  constexpr std::size_t kTextBytesMax = std::size_t{1} << 24;
  bool known = false;
  switch (header.kind) {
    case 'f':
      known = bytes == 4 || bytes == 8;
      break;
    case 'i':
      known = bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;
      break;
    case 'u':
      known = bytes == 1 || bytes == 2 || bytes == 4;
      break;
    case 'b':
      known = bytes == 1;
      break;
    case 'S':
    case 'U':
      known = bytes >= 1 && bytes <= kTextBytesMax;
      break;
    default:
      break;
  }
  if (!known) throw refuse("which is not read");
  header.item_bytes = header.kind == 'U' ? 4 * bytes : bytes;
  const bool is_little = order == '<' || (order == '|' && (bytes == 1 || header.kind == 'S'));
  if (!is_little) throw refuse("which is not little-endian");
}

Shape read_shape(HeaderText& text) {
  Shape shape;
  text.expect('(');
  while (!text.accept(')')) {
    constexpr std::size_t kDimensionsMax = 64;  // NumPy's own limit.
    if (shape.size() == kDimensionsMax) throw text.unreadable();
    shape.push_back(text.size());
    if (!text.accept(',')) {
      text.expect(')');
      break;
    }
  }
  return shape;
}

}  // namespace

NpyHeader parse_npy_header(std::string_view all, const std::string& file) {
  HeaderText text(all, file);
  NpyHeader header;
  bool has_type = false, has_order = false, has_shape = false;
  text.expect('{');
  while (!text.accept('}')) {
    const std::string_view key = text.quoted();
    text.expect(':');
    if (key == "descr") {
      if (text.accept('[')) {
        throw Error(ErrorCode::kInvalidArgument,
                    base::str_cat(file, " is a structured array, whose elements have fields"),
                    "Save each field as an array of its own");
      }
      set_type(text.quoted(), file, header);
      has_type = true;
    } else if (key == "fortran_order") {
      if (text.accept_word("True")) {
        throw Error(ErrorCode::kInvalidArgument,
                    base::str_cat(file, " is in Fortran order, column by column"),
                    "Save numpy.ascontiguousarray(array)");
      }
      if (!text.accept_word("False")) throw text.unreadable();
      has_order = true;
    } else if (key == "shape") {
      header.shape = read_shape(text);
      has_shape = true;
    } else {
      throw text.unreadable();
    }
    if (!text.accept(',')) {
      text.expect('}');
      break;
    }
  }
  if (!text.at_end() || !has_type || !has_order || !has_shape) throw text.unreadable();
  return header;
}

std::string format_npy_header(const NpyHeader& header) {
  const bool is_byte = header.kind == 'S' || header.item_bytes == 1;
  std::string text =
      base::str_cat("{'descr': '", is_byte ? '|' : '<', header.kind, header.item_bytes,
                    "', 'fortran_order': False, 'shape': (", base::join(header.shape),
                    header.shape.size() == 1 ? ",), }" : "), }");
  constexpr std::size_t kPrefixBytes = 10;
  constexpr std::size_t kAlignment = 64;
  const std::size_t used = kPrefixBytes + text.size() + 1;
  text.append((kAlignment - used % kAlignment) % kAlignment, ' ');
  text += '\n';
  std::string prefix("\x93NUMPY\x01\x00", 8);
  prefix += static_cast<char>(text.size() & 0xff);
  prefix += static_cast<char>(text.size() >> 8);
  return prefix + text;
}

}  // namespace dtrain::inline v0::data
