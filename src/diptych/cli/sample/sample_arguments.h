#pragma once
// The command line of `diptych sample`.

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "diptych/cli/compute_options.h"

namespace diptych {

struct SampleArguments {
  std::string model;
  std::vector<std::string> prompts;
  std::string prompt_file;
  std::vector<std::string> images;  // files
  int64_t count = 1;
  int64_t seed = 0;
  std::string out = "samples";
  std::string grid;

  std::string episode;  // empty: by no_think and images
  bool no_think = false;
  std::string refine = "none";
  int64_t refine_rounds = 1;

  std::optional<std::string> system_prompt;
  std::optional<std::string> reflection_prompt;
  std::optional<std::string> review_prompt;
  double temperature = 1;
  double top_p = 1;
  int64_t top_k = 0;
  std::optional<int64_t> max_think_tokens;

  std::string size;  // empty: by the model or the first image
  std::optional<int64_t> steps;
  std::optional<double> shift;

  double guidance = 1;
  double image_guidance = 1;
  std::vector<double> guidance_interval = {0, 1};
  std::string guidance_renorm = "global";
  double guidance_renorm_min = 0;

  ComputeOptions compute;
  std::optional<int64_t> batch;
};

/** Adds all options to the command. */
void add_sample_options(CLI::App& command, SampleArguments& arguments);

}  // namespace diptych
