#pragma once

#include <cstdint>
#include <string>

namespace dtrain::inline v0::app {

/// What `dtrain bench` is asked for, as the user wrote it; run_bench checks it.
struct BenchOptions {
  std::string workload;
  std::string size = "64M";
  int variables = 1;
  std::string model;
  std::string dtype = "fp32";
  std::string consistency = "sync";
  std::string memory = "arena";
  std::string chunk = "1M";
  std::int64_t rows = 10'000'000;
  std::int64_t width = 16;
  std::int64_t keys = 100'000;
  std::uint32_t repetitions = 0;
  double seconds = 5;
  std::uint32_t warmup = 5;
  bool limits = true;
  std::string json;       ///< A file; "-" for standard output in place of the table; or empty.
  std::string transport;  ///< As ClusterOptions::transport.
};

}  // namespace dtrain::inline v0::app
