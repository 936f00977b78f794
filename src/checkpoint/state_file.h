#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace dtrain::inline v0::checkpoint {

/// `ckpt-120`
std::string checkpoint_name(std::int64_t step);
/// The step in such a name; empty for any other.
std::optional<std::int64_t> step_of(std::string_view name);

/// Which checkpoints of a folder count, oldest first: the text file `checkpoint`, in the form in
/// which TensorFlow writes its own.
std::string encode_state(const std::vector<std::string>& names);
/// Throws data_loss that names `path` for what is no state, and for names that are no checkpoint's
/// (such as paths into other folders).
std::vector<std::string> decode_state(std::string_view text, const std::string& path);

}  // namespace dtrain::inline v0::checkpoint
