#include "diptych/reward/scorer_environment.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "diptych/base/text_format.h"

namespace diptych {

namespace {

// torchrun's and whatever follows it; then what MPI's and Slurm's starters tell each process of its place.
constexpr std::array<std::string_view, 25> kNames = {"RANK",
                                                     "WORLD_SIZE",
                                                     "LOCAL_RANK",
                                                     "LOCAL_WORLD_SIZE",
                                                     "GROUP_RANK",
                                                     "GROUP_WORLD_SIZE",
                                                     "ROLE_RANK",
                                                     "ROLE_WORLD_SIZE",
                                                     "ROLE_NAME",
                                                     "NODE_RANK",
                                                     "MASTER_ADDR",
                                                     "MASTER_PORT",
                                                     "MPI_LOCALRANKID",
                                                     "MPI_LOCALNRANKS",
                                                     "SLURM_PROCID",
                                                     "SLURM_LOCALID",
                                                     "SLURM_NODEID",
                                                     "SLURM_GTIDS",
                                                     "SLURM_NTASKS",
                                                     "SLURM_NPROCS",
                                                     "SLURM_TASKS_PER_NODE",
                                                     "SLURM_NTASKS_PER_NODE",
                                                     "DIPTYCH_RANK",
                                                     "DIPTYCH_WORLD_SIZE",
                                                     "DIPTYCH_LOCAL_RANK"};
constexpr std::array<std::string_view, 7> kBeginnings = {"TORCHELASTIC_",   "OMPI_", "PMI_",      "PMIX_",
                                                         "MV2_COMM_WORLD_", "PALS_", "SLURM_STEP"};

bool tells_a_place(std::string_view variable) {
  const std::string_view name = variable.substr(0, variable.find('='));
  return std::ranges::find(kNames, name) != kNames.end() ||
         std::ranges::any_of(kBeginnings, [&](std::string_view beginning) { return name.starts_with(beginning); });
}

}  // namespace

std::vector<std::string> scorer_environment(const std::vector<std::string>& variables, const ScorerPlace& place) {
  std::vector<std::string> kept;
  std::ranges::copy_if(variables, std::back_inserter(kept),
                       [](const std::string& variable) { return !tells_a_place(variable); });
  kept.push_back(cat("DIPTYCH_RANK=", place.rank));
  kept.push_back(cat("DIPTYCH_WORLD_SIZE=", place.world));
  kept.push_back(cat("DIPTYCH_LOCAL_RANK=", place.local_rank));
  const auto unbuffered = [](const std::string& variable) { return variable.starts_with("PYTHONUNBUFFERED="); };
  if (std::ranges::none_of(kept, unbuffered)) kept.emplace_back("PYTHONUNBUFFERED=1");
  return kept;
}

std::vector<std::string> scorer_environment(const ScorerPlace& place) {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) variables.emplace_back(*variable);
  return scorer_environment(variables, place);
}

}  // namespace diptych
