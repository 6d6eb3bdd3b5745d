// fuzz_readers [--inputs N] [--seed S] [--only NAME] [--file FILE]
//
// Feeds mutated bytes to everything that reads bytes from outside. Each reader must return or throw diptych::Error.
// Build it with sanitizers: cmake -DDIPTYCH_SANITIZE=ON.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iterator>

#include "diptych/base/text_format.h"
#include "fuzz/run.h"

// A small file must not make a reader ask for much memory, whatever sizes it announces.
extern "C" const char* __asan_default_options() {
  return "max_allocation_size_mb=256:detect_leaks=0";
}

namespace {

using namespace diptych::fuzz;

std::vector<Target> all_targets() {
  std::vector<Target> all;
  for (auto make : {checkpoint_targets, data_targets, image_targets, judge_targets, recipe_targets, report_targets,
                    request_targets, tensor_targets, tokenizer_targets}) {
    std::vector<Target> some = make();
    std::move(some.begin(), some.end(), std::back_inserter(all));
  }
  return all;
}

/** The reader's own files, or the one that is given. */
std::vector<Bytes> corpus_of(const Target& target, const std::string& file) {
  if (!file.empty()) return {read_bytes(file)};
  return read_corpus(std::filesystem::path(DIPTYCH_SOURCE_DIR) / "tests/fuzz/corpus" / target.name);
}

/** Prints how the reader did; false if it failed. */
bool fuzz(const Target& target, const std::vector<Bytes>& corpus, uint64_t inputs, uint64_t seed) {
  const Outcome outcome = run_target(target, corpus, inputs, seed);
  std::printf("%-20s %8llu inputs from %3zu files, %8llu refused, %7.1f s%s\n", target.name.c_str(),
              static_cast<unsigned long long>(outcome.inputs), corpus.size(),
              static_cast<unsigned long long>(outcome.refused), outcome.seconds,
              outcome.failure.empty() ? "" : "  FAILED");
  if (!outcome.failure.empty())
    std::printf("%s\n  the input is in %s\n", outcome.failure.c_str(), outcome.file.c_str());
  std::fflush(stdout);
  return outcome.failure.empty();
}

}  // namespace

int main(int count, char** arguments) {
  CLI::App app{"Feeds mutated bytes to every reader of bytes from outside"};
  uint64_t inputs = 2000, seed = 0;
  std::string only, file;
  app.add_option("--inputs", inputs, "per reader, its corpus included")->capture_default_str();
  app.add_option("--seed", seed, "of the mutations")->capture_default_str();
  app.add_option("--only", only, "one reader, by its name");
  app.add_option("--file", file, "reads this input alone");
  CLI11_PARSE(app, count, arguments);
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  int failed = 0, chosen = 0;
  for (const Target& target : all_targets()) {
    if (!only.empty() && target.name != only) continue;
    ++chosen;
    failed += !fuzz(target, corpus_of(target, file), file.empty() ? inputs : 1, seed);
  }
  std::filesystem::remove_all(scratch_folder());
  if (chosen == 0) std::printf("no reader has the name '%s'\n", only.c_str());
  return failed == 0 && chosen > 0 ? 0 : 1;
}
