#include "job_memory.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// 0 for a process that has gone.
pid_t parent_of(const fs::path& process) {
  const std::string stat = read(process / "stat");
  const std::size_t end = stat.rfind(')');  // names may have blanks and brackets
  if (end == std::string::npos) return 0;
  std::istringstream rest(stat.substr(end + 1));
  std::string state;
  pid_t parent = 0;
  rest >> state >> parent;
  return parent;
}

/// Empty for a process outside of a job.
std::string task_of(const fs::path& process) {
  const std::string environment = read(process / "environ");
  const std::size_t config = environment.find("TF_CONFIG=");
  if (config == std::string::npos) return {};
  const std::size_t task = environment.find("\"task\"", config);
  for (const char* type : {"ps", "chief", "worker", "evaluator"}) {
    const std::string quoted = '"' + std::string(type) + '"';
    if (task != std::string::npos && environment.find(quoted, task) < environment.find('}', task)) {
      return type;
    }
  }
  return {};
}

std::uint64_t pss_of(const fs::path& process) {
  std::istringstream lines(read(process / "smaps_rollup"));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("Pss:")) return std::stoull(line.substr(4)) * 1024;
  }
  throw std::runtime_error((process / "smaps_rollup").string() + " does not tell the Pss");
}

}  // namespace

std::vector<ProcessMemory> job_memory() {
  std::vector<ProcessMemory> processes;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (!std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; })) continue;
    if (parent_of(entry.path()) != getppid()) continue;
    const std::string task = task_of(entry.path());
    if (!task.empty()) processes.push_back({task, pss_of(entry.path())});
  }
  return processes;
}

std::string to_json(const std::vector<ProcessMemory>& processes) {
  std::ostringstream json;
  json << '[';
  for (std::size_t i = 0; i < processes.size(); ++i) {
    json << (i == 0 ? "" : ",") << "{\"task\":\"" << processes[i].task
         << "\",\"pss_bytes\":" << processes[i].pss_bytes << '}';
  }
  json << ']';
  return json.str();
}
