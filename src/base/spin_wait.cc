#include "base/spin_wait.h"

#include "base/usable_cores.h"

namespace dtrain::inline v0::base {

bool spinning_pays() {
  static const bool pays = usable_cores() > 1;
  return pays;
}

}  // namespace dtrain::inline v0::base
