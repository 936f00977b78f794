#include "checkpoint/sim_file_system.h"

#include <cstring>
#include <utility>

#include "base/philox.h"
#include "dtrain/error.h"

namespace dtrain::inline v0::checkpoint {

class SimOutputFile final : public OutputFile {
 public:
  SimOutputFile(SimFileSystem& files, std::string path, std::shared_ptr<SimFileSystem::Node> node)
      : files_(files), path_(std::move(path)), node_(std::move(node)) {}

  void append(std::span<const std::byte> bytes) override {
    const bool fails = files_.enter();
    const std::size_t count = fails ? bytes.size() / 2 : bytes.size();
    node_->bytes.append(reinterpret_cast<const char*>(bytes.data()), count);
    if (fails) files_.end(path_);
  }

  void sync() override {
    files_.enter_whole(path_);
    node_->on_disk = node_->bytes;
  }

  void close() override { files_.enter_whole(path_); }

 private:
  SimFileSystem& files_;
  const std::string path_;
  const std::shared_ptr<SimFileSystem::Node> node_;
};

namespace {

class SimInputFile final : public InputFile {
 public:
  explicit SimInputFile(std::string bytes) : bytes_(std::move(bytes)) {}
  std::uint64_t size() const override { return bytes_.size(); }
  void read(std::uint64_t offset, std::span<std::byte> out) const override {
    if (offset > bytes_.size() || out.size() > bytes_.size() - offset) {
      throw Error(ErrorCode::kDataLoss, "read beyond the end");
    }
    std::memcpy(out.data(), bytes_.data() + offset, out.size());
  }

 private:
  const std::string bytes_;
};

}  // namespace

void SimFileSystem::set_fault(Fault fault, int call) {
  fault_ = fault;
  fault_call_ = call;
  calls_ = 0;
}

void SimFileSystem::lose_power(std::uint64_t seed) {
  base::PhiloxStream random(seed);
  Names left = names_on_disk_;
  for (const auto& [path, node] : names_) {
    if (left[path] != node && random.below(2) == 0) left[path] = node;
  }
  for (const auto& [path, node] : names_on_disk_) {
    if (!names_.contains(path) && random.below(2) == 0) left.erase(path);
  }
  std::erase_if(left, [](const auto& entry) { return entry.second == nullptr; });
  for (const auto& [path, node] : left) {
    if (random.below(2) == 0) node->bytes = node->on_disk;
    node->on_disk = node->bytes;
  }
  names_ = left;
  names_on_disk_ = left;
  restart();
}

bool SimFileSystem::enter() {
  if (dead_) throw Crash{};
  const bool fails = fault_ != Fault::kNone && calls_ == fault_call_;
  ++calls_;
  return fails;
}

void SimFileSystem::end(const std::string& path) {
  if (fault_ == Fault::kCrash) {
    dead_ = true;
    throw Crash{};
  }
  throw Error(ErrorCode::kResourceExhausted, "\"" + path + "\": the simulated disk is full");
}

std::unique_ptr<OutputFile> SimFileSystem::create(const std::string& path) {
  enter_whole(path);
  auto& node = names_[path];
  if (!node) node = std::make_shared<Node>();
  node->bytes.clear();
  return std::make_unique<SimOutputFile>(*this, path, node);
}

std::unique_ptr<InputFile> SimFileSystem::open(const std::string& path) {
  enter_whole(path);
  const auto found = names_.find(path);
  if (found == names_.end()) throw Error(ErrorCode::kNotFound, "\"" + path + "\" is not there");
  return std::make_unique<SimInputFile>(found->second->bytes);
}

void SimFileSystem::rename(const std::string& from, const std::string& to) {
  enter_whole(from);
  names_[to] = names_.at(from);
  names_.erase(from);
}

void SimFileSystem::remove(const std::string& path) {
  enter_whole(path);
  if (names_.erase(path) == 0) throw Error(ErrorCode::kNotFound, "\"" + path + "\" is not there");
}

std::vector<std::string> SimFileSystem::list(const std::string& folder) {
  enter_whole(folder);
  if (!has_folder_) throw Error(ErrorCode::kNotFound, "\"" + folder + "\" is not there");
  std::vector<std::string> names;
  for (const auto& [path, node] : names_) names.push_back(path.substr(folder.size() + 1));
  return names;
}

void SimFileSystem::make_folder(const std::string& folder) {
  enter_whole(folder);
  has_folder_ = true;
}

void SimFileSystem::sync_folder(const std::string& folder) {
  enter_whole(folder);
  names_on_disk_ = names_;
}

}  // namespace dtrain::inline v0::checkpoint
