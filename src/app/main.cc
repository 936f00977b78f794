#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

#include "app/commands.h"
#include "bench/limits.h"
#include "dtrain/error.h"
#include "dtrain/run.h"
#include "dtrain/version.h"

namespace {

using dtrain::app::BenchOptions;
using dtrain::app::LaunchOptions;

constexpr int kExitUsage = 2;

// `dtrain launch --workers 2 -- train --epochs 3`: what stands behind the first `--` is another
// program's, and no parser of ours looks at it.
struct Arguments {
  std::vector<std::string> own;
  std::vector<std::string> program;
  bool has_separator = false;
};

Arguments split(int argc, char** argv) {
  Arguments arguments;
  const std::vector<std::string> all(argv + std::min(argc, 1), argv + argc);
  const auto separator = std::find(all.begin(), all.end(), "--");
  arguments.own.assign(all.begin(), separator);
  arguments.has_separator = separator != all.end();
  if (arguments.has_separator) arguments.program.assign(separator + 1, all.end());
  return arguments;
}

CLI::App* add_launch(CLI::App& app, LaunchOptions& options) {
  CLI::App* launch = app.add_subcommand(
      "launch",
      "Start a cluster of processes on this machine: dtrain launch [options] -- program "
      "[arguments]");
  launch->add_option("--workers", options.workers, "Workers (default 1)");
  launch->add_option("--ps", options.ps, "Parameter servers (default 0)");
  launch->add_flag("--chief", options.chief,
                   "Add a chief, which trains too; without it worker 0 is the chief");
  launch->add_flag("--evaluator", options.evaluator, "Add an evaluator");
  launch
      ->add_option("--threads-per-process", options.threads_per_process,
                   "DTRAIN_NUM_THREADS and OMP_NUM_THREADS of each process (default: the usable "
                   "cores, split)")
      ->check(CLI::Range(1, 4096));
  launch
      ->add_option("--grace", options.grace_s,
                   "Seconds in which the others may end by themselves when the job is over "
                   "(default 15)")
      ->check(CLI::Range(0.0, 86'400.0));
  launch->add_flag("--memory", options.memory,
                   "Say at the end how much memory (Pss) each process took at most");
  launch->add_flag("--generic-ps", options.generic_ps,
                   "Servers run `dtrain ps` and not the program");
  launch->allow_extras();
  return launch;
}

CLI::App* add_bench(CLI::App& app, BenchOptions& options) {
  CLI::App* bench = app.add_subcommand(
      "bench",
      "Measure pushes and pulls in the cluster that TF_CONFIG describes: dtrain launch --workers "
      "2 --ps 2 -- dtrain bench push-pull --size 64M");
  bench->add_option("workload", options.workload, "push, pull, push-pull, rows-pull or rows-push")
      ->required();
  bench->add_option("--size", options.size, "Of all variables: bytes, or with K, M, G (64M)");
  bench->add_option("--variables", options.variables, "How many share the size (1)");
  bench->add_option("--model", options.model,
                    "Variables of resnet50 or of a recommender, in place of --size");
  bench->add_option("--dtype", options.dtype, "How gradients travel: fp32, fp16 or bf16 (fp32)");
  bench->add_option("--consistency", options.consistency, "sync or async (sync)");
  bench->add_option("--memory", options.memory,
                    "Gradients and values in the client's memory (arena) or in own memory (arena)");
  bench->add_option("--chunk", options.chunk, "Size of the pieces that travel (1M)");
  bench->add_option("--rows", options.rows, "Of the table, for rows-pull and rows-push (10000000)");
  bench->add_option("--width", options.width, "Floats of a row (16)");
  bench->add_option("--keys", options.keys, "Sorted random rows of an operation (100000)");
  auto* repetitions =
      bench->add_option("--repetitions", options.repetitions, "Measured operations of each worker");
  bench->add_option("--seconds", options.seconds, "Measure for so long (5)")->excludes(repetitions);
  bench->add_option("--warmup", options.warmup, "Operations before the measured ones (5)");
  bench->add_flag("--limits,!--no-limits", options.limits,
                  "Measure what the chief's machine reaches at best beside it (yes)");
  bench->add_option("--json", options.json,
                    "Write a JSON object to a file; - for standard output, without the table");
  bench->add_option("--transport", options.transport,
                    "auto, tcp, shm or ipc (DTRAIN_TRANSPORT, or auto)");
  return bench;
}

int fail_usage(const std::string& command, const std::string& what) {
  std::cerr << command << ": " << what << "\nSee " << command << " --help\n";
  return kExitUsage;
}

int launch(const CLI::App& command, const Arguments& arguments, LaunchOptions options) {
  const std::vector<std::string> extras = command.remaining();
  if (!extras.empty()) {
    const std::string& first = extras.front();
    const bool is_option = first.starts_with("-");
    return fail_usage("dtrain launch", is_option ? "there is no option " + first
                                                 : "\"" + first +
                                                       "\" is no option; put -- before the "
                                                       "program: dtrain launch --workers 2 -- " +
                                                       first);
  }
  if (arguments.program.empty()) {
    return fail_usage("dtrain launch",
                      "no program to start; put it at the end, behind --: dtrain launch --workers "
                      "2 --ps 1 -- ./train");
  }
  options.command = arguments.program;
  return dtrain::app::run_launch(options);
}

bool is_unknown_command(CLI::App& app, const std::string& word) {
  if (word.starts_with("-")) return false;
  const auto commands = app.get_subcommands([](CLI::App*) { return true; });
  return std::none_of(commands.begin(), commands.end(),
                      [&word](const CLI::App* command) { return command->get_name() == word; });
}

int run(int argc, char** argv) {
  const Arguments arguments = split(argc, argv);
  CLI::App app("dtrain: distributed training with a parameter server", "dtrain");
  app.set_version_flag("--version", "dtrain " DTRAIN_VERSION);
  app.require_subcommand(1);
  LaunchOptions options;
  const CLI::App* launch_command = add_launch(app, options);
  BenchOptions bench_options;
  const CLI::App* bench = add_bench(app, bench_options);
  const CLI::App* ps = app.add_subcommand(
      "ps", "Run a parameter server for any model, in the cluster that TF_CONFIG describes");
  const CLI::App* env = app.add_subcommand("env", "Print what TF_CONFIG says of this process");
  app.add_subcommand("version", "Print the version");
  if (!arguments.own.empty() && is_unknown_command(app, arguments.own.front())) {
    return fail_usage("dtrain", "there is no command \"" + arguments.own.front() +
                                    "\"; there are launch, bench, ps, env and version");
  }
  try {
    std::vector<std::string> reversed(arguments.own.rbegin(), arguments.own.rend());
    app.parse(reversed);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  if (app.got_subcommand(launch_command)) return launch(*launch_command, arguments, options);
  if (arguments.has_separator) return fail_usage("dtrain", "only dtrain launch takes a program");
  if (app.got_subcommand(bench)) return dtrain::app::run_bench(bench_options);
  if (app.got_subcommand(ps)) return dtrain::app::run_ps();
  if (app.got_subcommand(env)) return dtrain::app::run_env(std::cout);
  return dtrain::app::run_version(std::cout);
}

// A descriptor below 3 that the caller closed would become a pipe or socket, and what is printed
// would go there.
void open_standard_descriptors() {
  int fd = 0;
  do {
    fd = open("/dev/null", O_RDWR);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0) close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  open_standard_descriptors();
  try {
    // dtrain bench measures the machine with child processes, which are this program again.
    if (const auto status =
            dtrain::bench::run_child_role(argc, argv, dtrain::bench::limit_roles())) {
      return *status;
    }
    return run(argc, argv);
  } catch (const dtrain::Error& error) {
    std::cerr << "dtrain: " << error.what() << "\n";
    return error.code() == dtrain::ErrorCode::kInvalidArgument ? dtrain::kExitConfiguration : 1;
  } catch (const std::exception& error) {
    std::cerr << "dtrain: " << error.what() << "\n";
    return 1;
  }
}
