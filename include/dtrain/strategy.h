#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "dtrain/cluster.h"
#include "dtrain/consistency.h"
#include "dtrain/export.h"
#include "dtrain/functional.h"
#include "dtrain/model.h"
#include "dtrain/row_table.h"
#include "dtrain/variable.h"

namespace dtrain::inline v0 {

struct ParameterServerOptions {
  Consistency consistency = Synchronous{};
  std::size_t chunk_bytes = 1 << 20;  ///< As ParameterClientOptions::chunk_bytes.
  /// How gradients travel to the servers; the same on all workers.
  GradientType gradient_type = GradientType::kFloat32;
  /// Exceptions, by the variable's name, e.g. {{"dense/bias", GradientType::kFloat32}}.
  std::map<std::string, GradientType> gradient_types = {};
  /// Of embeddings. One process trains them as any variable: that is RowUpdates::kDense.
  RowUpdates row_updates = RowUpdates::kLazy;
};

struct BuildOptions {
  /// Decides first values and dropout; the same on every worker.
  std::uint64_t seed = 0;
  /// Threads that compute, the calling one included. Empty: the environment variable
  /// DTRAIN_NUM_THREADS, or 1.
  std::optional<int> threads = {};
};

/// Who holds a model's variables, and how gradients meet. A value; copies share nothing but the
/// cluster, which must outlive the models built.
class DTRAIN_EXPORT Strategy {
 public:
  /// One process that trains alone.
  static Strategy local();
  /// Variables live on the cluster's parameter servers; workers exchange gradients for values.
  /// Throws failed_precondition when the cluster has no ps or this process does not train.
  static Strategy parameter_server(Cluster& cluster, ParameterServerOptions options = {});

  /// Infers all shapes and draws the first values. Throws invalid_argument that names the layer,
  /// what it got and what it needs.
  Model build(const Functional& description, const BuildOptions& options = {}) const;
  Model build(const Sequential& description, const BuildOptions& options = {}) const;

 private:
  Strategy(Cluster* cluster, ParameterServerOptions options);

  Cluster* cluster_;  ///< Null: local.
  ParameterServerOptions options_;
};

}  // namespace dtrain::inline v0
