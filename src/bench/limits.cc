#include "bench/limits.h"

#include <array>

namespace dtrain::inline v0::bench {

std::span<const ChildRole> limit_roles() {
  static constexpr std::array<ChildRole, 4> kRoles = {{
      {"stream", run_stream_child},
      {"ring", run_ring_child},
      {"ping", run_ping_child},
      {"zmq-ping", run_zmq_ping_child},
  }};
  return kRoles;
}

}  // namespace dtrain::inline v0::bench
