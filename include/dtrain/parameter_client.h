#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "dtrain/cluster.h"
#include "dtrain/consistency.h"
#include "dtrain/export.h"
#include "dtrain/optimizer.h"
#include "dtrain/row_table.h"
#include "dtrain/update_rules.h"
#include "dtrain/variable.h"

namespace dtrain::inline v0 {

struct ParameterClientOptions {
  Consistency consistency = Synchronous{};
  /// Transfers travel in pieces of this size, so that sending and applying overlap. 256 bytes to
  /// 64 MiB, and the same for all workers.
  std::size_t chunk_bytes = 1 << 20;
};

/// How many updates the servers have applied; the lowest where servers differ.
using Version = std::uint64_t;

/// A variable and the memory of its values: as many elements as its shape has, row-major.
struct NamedValues {
  std::string_view name;
  std::span<float> values;
};

/// A variable and the memory of its gradient.
struct NamedGradient {
  std::string_view name;
  std::span<const float> gradient;
};

/// Rows of a table and the memory of their values: row keys[i] goes to the `width` elements from
/// i * width on, so `values` has keys.size() * width of them. Keys may come in any order, a key
/// more than once, and there may be none.
struct RowValues {
  std::string_view table;
  std::span<const std::uint64_t> keys;
  std::span<float> values;
};

/// Rows of a table and their gradients, in the same order. Gradients of a key that comes more than
/// once are added, in this order.
struct RowGradients {
  std::string_view table;
  std::span<const std::uint64_t> keys;
  std::span<const float> gradients;
};

/// What a push says beside its gradients.
struct PushOptions {
  /// The examples whose mean gradient this is. Synchronous updates weight workers by it; 0 says
  /// that this worker has nothing to add to the step (it must still push).
  std::uint64_t examples = 1;
  /// Gradients of rows that are part of the same update; each table is named once. Keys and
  /// gradients are copied before an _async call returns.
  std::vector<RowGradients> rows = {};
};

/// Memory for gradients and values that servers on this host read where it lies, while other
/// memory is copied on the way to them. Zeros at first, 64-byte aligned. Owns its memory, also
/// beyond the client's and the cluster's end; movable. Thread-compatible.
class DTRAIN_EXPORT TransferMemory {
 public:
  TransferMemory(TransferMemory&&) noexcept;
  TransferMemory& operator=(TransferMemory&&) noexcept;
  ~TransferMemory();

  std::span<float> span();
  std::span<const float> span() const;

  struct Impl;
  explicit TransferMemory(std::unique_ptr<Impl> impl);

 private:
  std::unique_ptr<Impl> impl_;
};

/// An operation under way. The memory given to it stays borrowed until wait() has returned or
/// thrown, or the handle is destroyed, which waits too.
class DTRAIN_EXPORT PendingOperation {
 public:
  PendingOperation(PendingOperation&&) noexcept;
  PendingOperation& operator=(PendingOperation&&) noexcept;
  ~PendingOperation();

  bool done() const;
  /// Waits for the end; throws what went wrong. Call once.
  Version wait();

  struct Impl;
  explicit PendingOperation(std::unique_ptr<Impl> impl);

 private:
  std::unique_ptr<Impl> impl_;
};

/// A worker's view of the parameter servers, for programs with models and gradients of their own.
///
/// All workers declare the same variables; then each pulls values and pushes gradients. In
/// synchronous mode every worker pushes the same variables in each step, and a push ends when the
/// step's update is applied; in asynchronous mode when its own is. A push counts exactly once,
/// whatever has to be sent again. Name all variables of a step in one push: each push is one
/// update of every server, one step for Adam and schedules.
///
/// Beside variables there are tables of rows (embeddings), which no worker holds: a step pulls the
/// rows that it needs, and pushes gradients of rows in the same push as its other gradients. In
/// synchronous mode every worker names the same tables in each push, with keys of its own or none.
/// What a pull or push of rows takes in memory depends on its keys, not on the table.
///
/// Any thread, one call at a time. One client per cluster object. After the first error the client
/// is unusable, and every call throws that error.
class DTRAIN_EXPORT ParameterClient {
 public:
  /// `cluster` must outlive the client. Throws failed_precondition when it has no ps, or when this
  /// process is not a worker.
  explicit ParameterClient(Cluster& cluster, ParameterClientOptions options = {});
  ~ParameterClient();
  ParameterClient(ParameterClient&&) noexcept;
  ParameterClient& operator=(ParameterClient&&) noexcept;

  /// What is trained, and how. Once, before everything else. Rank 0's `initial` values are the
  /// first version. Throws invalid_argument when another worker has declared something else (it
  /// says what) or a variable, the optimizer or a rule is wrong.
  void declare(const std::vector<Variable>& variables, const Optimizer& optimizer,
               const UpdateRules& rules = {});
  /// The same with tables of rows; one of the two lists may be empty. The servers draw first values
  /// of rows. Rules name variables; clipping by norm does not go together with tables. Throws
  /// resource_exhausted when a server has no memory for its part.
  void declare(const std::vector<Variable>& variables, const std::vector<RowTable>& tables,
               const Optimizer& optimizer, const UpdateRules& rules = {});

  /// Fills the spans with one version of each slice, at least as new as this worker's last push;
  /// the first pull waits for the first values.
  Version pull(NamedValues values);
  Version pull(const std::vector<NamedValues>& values);
  Version push(NamedGradient gradient, PushOptions options = {});
  Version push(const std::vector<NamedGradient>& gradients, PushOptions options = {});
  /// push, and pull of the same variables after it, in one round trip per server.
  Version push_pull(const std::vector<NamedGradient>& gradients,
                    const std::vector<NamedValues>& values, PushOptions options = {});

  /// Memory of `count` floats for what this client pushes and pulls: of one or many variables, as
  /// the caller divides it. Keep it for many steps, since each is mapped by the servers once; it
  /// is ordinary memory where no memory can be shared. Throws resource_exhausted when there is
  /// none left.
  TransferMemory allocate(std::size_t count);
  /// The same as pull() for rows, each table named once; keys may be in other memory as soon as an
  /// _async call has returned, values stay borrowed. From each server at most 16 MiB of rows are of
  /// one version; what goes beyond it is asked for next and may be newer (in asynchronous mode).
  /// Throws not_found for a table, invalid_argument for a key that is no row and for values of
  /// another size.
  Version pull_rows(RowValues rows);
  Version pull_rows(const std::vector<RowValues>& rows);
  /// One update with gradients of rows alone; PushOptions::rows of the other calls takes rows and
  /// variables together. Throws as pull_rows.
  Version push_rows(RowGradients rows, PushOptions options = {});
  Version push_rows(const std::vector<RowGradients>& rows, PushOptions options = {});

  PendingOperation pull_async(const std::vector<NamedValues>& values);
  PendingOperation pull_rows_async(const std::vector<RowValues>& rows);
  PendingOperation push_async(const std::vector<NamedGradient>& gradients,
                              PushOptions options = {});
  PendingOperation push_rows_async(const std::vector<RowGradients>& rows, PushOptions options = {});
  PendingOperation push_pull_async(const std::vector<NamedGradient>& gradients,
                                   const std::vector<NamedValues>& values,
                                   PushOptions options = {});
  PendingOperation push_pull_async(const std::vector<NamedGradient>& gradients,
                                   const std::vector<NamedValues>& values,
                                   const std::vector<RowGradients>& rows, PushOptions options = {});

  class Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace dtrain::inline v0
