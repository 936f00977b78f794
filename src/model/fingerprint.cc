#include <farmhash.h>

#include "model/host_operations.h"

namespace dtrain::inline v0::model {

std::uint64_t fingerprint64(std::string_view text) {
  return NAMESPACE_FOR_HASH_FUNCTIONS::Fingerprint64(text.data(), text.size());
}

}  // namespace dtrain::inline v0::model
