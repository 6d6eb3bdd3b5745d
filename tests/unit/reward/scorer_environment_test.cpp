#include "diptych/reward/scorer_environment.h"

#include <gtest/gtest.h>

namespace diptych {
namespace {

TEST(ScorerEnvironment, HoldsNoLaunchersVariable) {
  const std::vector<std::string> told = {"RANK=1",
                                         "WORLD_SIZE=2",
                                         "LOCAL_RANK=1",
                                         "LOCAL_WORLD_SIZE=2",
                                         "GROUP_RANK=0",
                                         "ROLE_RANK=1",
                                         "MASTER_ADDR=node",
                                         "MASTER_PORT=29500",
                                         "TORCHELASTIC_USE_AGENT_STORE=True",
                                         "OMPI_COMM_WORLD_RANK=1",
                                         "PMIX_RANK=1",
                                         "PMI_SIZE=2",
                                         "MPI_LOCALRANKID=1",
                                         "MV2_COMM_WORLD_RANK=1",
                                         "SLURM_PROCID=1",
                                         "SLURM_STEP_ID=0",
                                         "SLURM_NTASKS=2",
                                         "DIPTYCH_RANK=7"};
  std::vector<std::string> variables = told;
  const std::vector<std::string> kept = {"PATH=/bin", "CUDA_VISIBLE_DEVICES=0,1", "SLURM_JOB_ID=5", "RANKING=1",
                                         "MY_RANK=1"};
  variables.insert(variables.end(), kept.begin(), kept.end());
  std::vector<std::string> expected = kept;
  for (const char* variable : {"DIPTYCH_RANK=1", "DIPTYCH_WORLD_SIZE=2", "DIPTYCH_LOCAL_RANK=1", "PYTHONUNBUFFERED=1"})
    expected.emplace_back(variable);
  EXPECT_EQ(scorer_environment(variables, {.rank = 1, .world = 2, .local_rank = 1}), expected);
}

TEST(ScorerEnvironment, LeavesTheUsersBufferingAlone) {
  EXPECT_EQ(scorer_environment({"PYTHONUNBUFFERED="}, {}),
            (std::vector<std::string>{"PYTHONUNBUFFERED=", "DIPTYCH_RANK=0", "DIPTYCH_WORLD_SIZE=1",
                                      "DIPTYCH_LOCAL_RANK=0"}));
}

}  // namespace
}  // namespace diptych
