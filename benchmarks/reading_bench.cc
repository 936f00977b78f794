// Reading examples from files, one thread: Adult (6 numbers, 8 strings, a class) in batches of 256,
// as benchmarks/comparison/peers/tensorflow_data.py reads it. The limit is reading the file's
// bytes.
#include <stdlib.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/strings.h"
#include "bench/statistics.h"
#include "data/gzip_file.h"
#include "dtrain/dataset.h"
#include "dtrain/error.h"
#include "dtrain/pipeline.h"
#include "dtrain/tfrecord.h"
#include "measure.h"

namespace dtrain::benchmarks {
namespace {

constexpr std::size_t kBatch = 256;

const std::vector<std::string> kNumbers = {"age",          "fnlwgt",       "educational_num",
                                           "capital_gain", "capital_loss", "hours_per_week"};
const std::vector<std::string> kStrings = {"workclass",  "education",     "marital_status",
                                           "occupation", "relationship",  "race",
                                           "gender",     "native_country"};

CsvOptions csv_options() {
  CsvOptions options{.label = "income", .label_vocabulary = {"<=50K", ">50K"}};
  for (const std::string& name : kNumbers) options.features.push_back({name});
  for (const std::string& name : kStrings) options.features.push_back({name, DType::kString});
  return options;
}

TfRecordOptions record_options() {
  TfRecordOptions options{.targets = {{"income", DType::kInt32}}};
  for (const std::string& name : kNumbers) options.features.push_back({name});
  for (const std::string& name : kStrings) options.features.push_back({name, DType::kString});
  return options;
}

/// The same examples as a CSV file, unpacked, and as a TFRecord file, in a folder that goes with
/// them.
class Files {
 public:
  Files() : folder_((std::filesystem::temp_directory_path() / "dtrain-reading-XXXXXX").string()) {
    if (mkdtemp(folder_.data()) == nullptr) throw std::runtime_error("cannot make " + folder_);
    const std::string packed = std::string(DTRAIN_EXAMPLE_DATA) + "/adult-train.csv.gz";
    {
      data::GzipFile from(packed);
      std::ofstream to(csv(), std::ios::binary);
      std::vector<char> buffer(1 << 16);
      for (std::size_t bytes = 1; bytes > 0;) {
        bytes = from.read(buffer);
        to.write(buffer.data(), static_cast<std::streamsize>(bytes));
      }
    }
    const Dataset adult = Dataset::from_csv(csv(), csv_options());
    TfRecordWriter writer(records());
    writer.write(adult);
    writer.close();
    examples_ = adult.size();
    for (const float age : adult.feature<float>("age")) ages_ += static_cast<double>(age);
  }
  ~Files() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;

  std::string csv() const { return folder_ + "/adult.csv"; }
  std::string records() const { return folder_ + "/adult.tfrecord"; }
  std::size_t examples() const { return examples_; }
  double ages() const { return ages_; }  ///< Their sum.

 private:
  std::string folder_;
  std::size_t examples_ = 0;
  double ages_ = 0;
};

double read_all(const Files& files, const Pipeline& pipeline) {
  const bench::Stopwatch watch;
  ExampleStream stream = pipeline.stream();
  std::size_t examples = 0;
  double ages = 0;
  while (const Examples* batch = stream.next()) {
    examples += batch->size();
    for (const float age : std::get<std::vector<float>>(batch->features[0].values)) {
      ages += static_cast<double>(age);
    }
  }
  const double seconds = watch.seconds();
  if (examples != files.examples() || ages != files.ages()) {
    throw Error(ErrorCode::kInternal,
                base::str_cat("Read ", examples, " examples, and not ", files.examples()));
  }
  return seconds;
}

double read_bytes(const std::string& path) {
  const bench::Stopwatch watch;
  data::GzipFile file(path);
  std::vector<char> buffer(std::size_t{64} * 1024);
  std::uintmax_t bytes = 0;
  for (std::size_t got = 1; got > 0; bytes += got) got = file.read(buffer);
  if (bytes != std::filesystem::file_size(path)) throw Error(ErrorCode::kInternal, "It is cut off");
  return watch.seconds();
}

Comparison compare(const std::shared_ptr<const Files>& files, const Pipeline& pipeline,
                   const std::string& path) {
  return {.result = [files, pipeline] { return read_all(*files, pipeline); },
          .limit = [files, path] { return read_bytes(path); },
          .bytes = static_cast<double>(std::filesystem::file_size(path)),
          .items = static_cast<double>(files->examples())};
}

}  // namespace

std::vector<bench::ChildRole> child_roles() { return {}; }

void register_benchmarks(const ProgramOptions& options) {
  const auto files = std::make_shared<std::shared_ptr<const Files>>();
  const auto made = [files] {
    if (!*files) *files = std::make_shared<const Files>();
    return *files;
  };
  add_case("reading/csv/adult", options, [made] {
    const auto all = made();
    return compare(all, Pipeline::from_csv({all->csv()}, csv_options()).batch(kBatch), all->csv());
  });
  add_case("reading/tfrecord/adult", options, [made] {
    const auto all = made();
    return compare(all, Pipeline::from_tfrecord({all->records()}, record_options()).batch(kBatch),
                   all->records());
  });
}

}  // namespace dtrain::benchmarks
