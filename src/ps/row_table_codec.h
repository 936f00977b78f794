#pragma once

#include <string>
#include <vector>

#include "dtrain/row_table.h"
#include "ps/ps.pb.h"

namespace dtrain::inline v0::ps {

void encode(const RowTable& table, dtrain_pb::ps::RowTable& message);
/// The message comes from the network: throws a protocol error for what this version does not know.
/// validate() checks the rest.
RowTable decode(const dtrain_pb::ps::RowTable& message);

/// What a declaration must keep to. Throws invalid_argument that names the table and the field.
void validate(const RowTable& table, std::size_t chunk_elements);

/// `"embedding/embeddings" (1000, 16), lazy updates`, for messages.
std::string describe(const dtrain_pb::ps::RowTable& message);

}  // namespace dtrain::inline v0::ps
