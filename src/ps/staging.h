#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "tensor/arena.h"
#include "transport/endpoint.h"

namespace dtrain::inline v0::ps {

/// Memory in which messages are put together, used again when nobody holds it any more: pages that
/// stay mapped cost less than new ones, and peers on this host read them in place. Confined to the
/// endpoint's I/O thread; what it gives may be let go of on any thread.
class Staging {
 public:
  /// Keeps about `bytes_max` for the next messages.
  explicit Staging(transport::Endpoint& endpoint, std::size_t bytes_max = std::size_t{16} << 20)
      : endpoint_(endpoint), bytes_max_(bytes_max) {}

  /// At least `bytes`, of any content.
  std::shared_ptr<tensor::Arena> take(std::size_t bytes);

 private:
  transport::Endpoint& endpoint_;
  const std::size_t bytes_max_;
  std::vector<std::shared_ptr<tensor::Arena>> kept_;
};

}  // namespace dtrain::inline v0::ps
