#include "checkpoint/directory.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <string_view>
#include <utility>

#include "base/strings.h"
#include "checkpoint/file_format.h"
#include "checkpoint/state_file.h"
#include "dtrain/checkpoint.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::checkpoint {
namespace {

constexpr const char* kStateName = "checkpoint";
constexpr const char* kProbeName = "checkpoint.probe.tmp";
constexpr std::string_view kTemporarySuffix = ".tmp";
constexpr std::uint64_t kStateBytesMax = 1 << 20;

bool is_temporary(std::string_view name) {
  if (!name.ends_with(kTemporarySuffix)) return false;
  name.remove_suffix(kTemporarySuffix.size());
  return name == kStateName || name == "checkpoint.probe" || step_of(name).has_value();
}

void write_file(FileSystem& files, const std::string& path, std::string_view text) {
  const auto file = files.create(path);
  file->append(std::as_bytes(std::span(text.data(), text.size())));
  file->sync();
  file->close();
}

/// Runs `call`; empty when what it looks for does not exist.
template <typename Call>
auto if_found(const Call& call) -> std::optional<decltype(call())> {
  try {
    return call();
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kNotFound) return {};
    throw;
  }
}

std::optional<std::string> read_file(FileSystem& files, const std::string& path) {
  const auto found = if_found([&] { return files.open(path); });
  if (!found) return {};
  const InputFile* file = found->get();
  if (file->size() > kStateBytesMax) {
    throw Error(ErrorCode::kDataLoss,
                base::str_cat("\"", path, "\" has ", file->size(), " bytes: it is no list"),
                "Delete it: the newest checkpoint beside it is used then");
  }
  std::string text(file->size(), '\0');
  file->read(0, std::as_writable_bytes(std::span(text.data(), text.size())));
  return text;
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

}  // namespace

Directory::Directory(FileSystem& files, std::string path, observe::Logger logger)
    : files_(files), path_(std::move(path)), logger_(std::move(logger)) {}

std::vector<std::string> Directory::list() const {
  return if_found([&] { return files_.list(path_); }).value_or(std::vector<std::string>());
}

std::vector<std::string> Directory::kept() const {
  const std::string state_path = path_of(kStateName);
  // First the state, then the names: what a writer lists exists.
  const std::optional<std::string> state = read_file(files_, state_path);
  const std::vector<std::string> present = list();
  std::vector<std::string> names;
  if (!state) {
    std::ranges::copy_if(present, std::back_inserter(names),
                         [](const std::string& name) { return step_of(name).has_value(); });
    std::ranges::sort(names, {}, [](const std::string& name) { return *step_of(name); });
    return names;
  }
  names = decode_state(*state, state_path);
  std::erase_if(names, [&](const std::string& name) { return !contains(present, name); });
  return names;
}

std::optional<std::string> Directory::latest() const {
  const std::vector<std::string> names = kept();
  if (names.empty()) return {};
  return path_of(names.back());
}

void Directory::prepare() {
  files_.make_folder(path_);
  write_file(files_, path_of(kProbeName), "dtrain finds out whether it can write here\n");
  files_.remove(path_of(kProbeName));
  const std::vector<std::string> names = kept();
  for (const std::string& name : list()) {
    // A checkpoint that is not listed was renamed into place by a save that ended before it
    // counted, or was no longer kept by one that ended before it was removed.
    const bool forgotten = step_of(name) && !contains(names, name);
    if (!is_temporary(name) && !forgotten) continue;
    logger_.info("removes \"", path_of(name), "\", which a save that was cut short has left");
    files_.remove(path_of(name));
  }
}

std::string Directory::save(std::int64_t step, int max_to_keep,
                            const std::function<void(Writer&)>& write) {
  const std::string name = checkpoint_name(step);
  const std::string path = path_of(name);
  const std::string temporary = base::str_cat(path, kTemporarySuffix);
  try {
    const auto writer = make_file_writer(files_, temporary);
    write(*writer);
    writer->finish();
  } catch (const Error&) {
    remove_if_possible(temporary);  // a full disk gets its room back
    throw;
  }
  std::vector<std::string> names = kept();
  files_.rename(temporary, path);
  files_.sync_folder(path_);
  std::erase(names, name);
  names.push_back(name);
  const std::size_t keep = std::min(names.size(), static_cast<std::size_t>(max_to_keep));
  const std::vector<std::string> old(names.begin(),
                                     names.end() - static_cast<std::ptrdiff_t>(keep));
  names.erase(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(old.size()));
  write_state(names);
  for (const std::string& forgotten : old) files_.remove(path_of(forgotten));
  return path;
}

void Directory::remove_if_possible(const std::string& path) {
  try {
    files_.remove(path);
  } catch (const Error& error) {
    logger_.warning(error.what());
  }
}

void Directory::write_state(const std::vector<std::string>& names) {
  const std::string path = path_of(kStateName);
  const std::string temporary = base::str_cat(path, kTemporarySuffix);
  write_file(files_, temporary, encode_state(names));
  files_.rename(temporary, path);
  files_.sync_folder(path_);
}

std::unique_ptr<Reader> open_checkpoint(FileSystem& files, const std::string& path) {
  return make_file_reader(files.open(path), path);
}

}  // namespace dtrain::inline v0::checkpoint

namespace dtrain::inline v0 {

std::optional<std::string> latest_checkpoint(const std::string& directory) {
  const auto files = checkpoint::make_real_file_system();
  return checkpoint::Directory(*files, directory, observe::Logger()).latest();
}

}  // namespace dtrain::inline v0
