#pragma once

#include <string>
#include <vector>

#include "data/stream.h"
#include "dtrain/csv.h"
#include "dtrain/dataset.h"
#include "dtrain/pipeline.h"
#include "dtrain/tfrecord.h"

namespace dtrain::inline v0::data {

/// What Pipeline's functions of the same names begin with.
OpenStream from_dataset(const Dataset& dataset);
OpenStream from_csv(std::vector<std::string> files, const CsvOptions& options);
OpenStream from_tfrecord(std::vector<std::string> files, const TfRecordOptions& options);
OpenStream from_generator(std::function<Pipeline::Generator()> start);

}  // namespace dtrain::inline v0::data
