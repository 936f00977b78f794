#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "dtrain/error.h"
#include "dtrain/examples.h"

namespace dtrain::inline v0::data {

/// A folder of its own that goes with everything in it when the object does.
class TemporaryFolder {
 public:
  TemporaryFolder() : path_(testing::TempDir() + "dtrain-data-XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) throw std::runtime_error("mkdtemp failed: " + path_);
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }

  /// Writes a file and returns its path.
  std::string write(const std::string& name, std::string_view bytes) const {
    const std::string path = path_ + "/" + name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

 private:
  std::string path_;
};

/// The values of a feature or target.
template <typename T>
const std::vector<T>& values(const Column& column) {
  return std::get<std::vector<T>>(column.values);
}
inline std::vector<std::string> texts(const Column& column) {
  const auto views = std::get<Strings>(column.values).views();
  return {views.begin(), views.end()};
}

/// The bytes as one gzip member.
inline std::string gzip(std::string_view text) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/packed";
  const gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
  gzclose(file);
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Expects that `action` throws dtrain::Error with this code and every one of these texts.
inline void expect_error(const std::function<void()>& action, ErrorCode code,
                         std::initializer_list<std::string_view> texts) {
  try {
    action();
  } catch (const Error& error) {
    const std::string_view message = error.what();
    EXPECT_EQ(error.code(), code) << message;
    for (const std::string_view text : texts) {
      EXPECT_NE(message.find(text), std::string_view::npos)
          << "\"" << text << "\" is missing in: " << message;
    }
    return;
  }
  ADD_FAILURE() << "no error, expected " << error_code_name(code);
}

}  // namespace dtrain::inline v0::data
