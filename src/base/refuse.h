#pragma once

#include <string_view>

namespace dtrain::inline v0::base {

/// Throws invalid_argument: what is wrong with what somebody gave, and what to do about it.
[[noreturn]] void refuse(std::string_view happened, std::string_view advice);

}  // namespace dtrain::inline v0::base
