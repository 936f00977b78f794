#pragma once

#include <cstddef>

#include "tensor/arena.h"
#include "transport/endpoint.h"

namespace dtrain::inline v0::ps {

/// An arena whose ranges the endpoint hands to peers on this host in place, where it can; an
/// ordinary one elsewhere.
inline tensor::Arena shared_arena(transport::Endpoint& endpoint, std::size_t count) {
  if (!endpoint.shares_memory()) return tensor::Arena(count);
  tensor::Arena arena = tensor::Arena::shared(count);
  endpoint.share(arena.memory());
  return arena;
}

}  // namespace dtrain::inline v0::ps
