#include "base/refuse.h"

#include "dtrain/error.h"

namespace dtrain::inline v0::base {

void refuse(std::string_view happened, std::string_view advice) {
  throw Error(ErrorCode::kInvalidArgument, happened, advice);
}

}  // namespace dtrain::inline v0::base
