#pragma once

#include <string_view>

#include "base/result.h"

namespace dtrain::inline v0::ps {

/// The peer has sent what no dtrain of this version sends.
inline Error protocol_error(std::string_view what) { return Error(ErrorCode::kProtocol, what); }

}  // namespace dtrain::inline v0::ps
