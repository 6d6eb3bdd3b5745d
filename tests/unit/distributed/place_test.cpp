#include "diptych/distributed/place.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "support/expect_error.h"

namespace diptych {
namespace {

using Settings = std::map<std::string, std::string>;

ProcessPlace place(const Settings& settings) {
  return place_from_environment([&](const char* name) -> const char* {
    const auto found = settings.find(name);
    return found == settings.end() ? nullptr : found->second.c_str();
  });
}

/** `settings` without one of them, or with another value. */
Settings without(Settings settings, const std::string& name) {
  settings.erase(name);
  return settings;
}
Settings with(Settings settings, const std::string& name, const std::string& value) {
  settings[name] = value;
  return settings;
}

void expect_single(const ProcessPlace& place) {
  EXPECT_EQ(place.rank, 0);
  EXPECT_EQ(place.world, 1);
  EXPECT_EQ(place.local_rank, 0);
  EXPECT_FALSE(place.agent_store);
}

void expect_place(const ProcessPlace& place, int rank, int world, int local_rank, const std::string& address) {
  EXPECT_EQ(place.rank, rank);
  EXPECT_EQ(place.world, world);
  EXPECT_EQ(place.local_rank, local_rank);
  EXPECT_EQ(place.master_address, address);
}

const Settings kTorchrun = {{"RANK", "5"},           {"WORLD_SIZE", "8"},
                            {"LOCAL_RANK", "1"},     {"MASTER_ADDR", "gpu03"},
                            {"MASTER_PORT", "1234"}, {"TORCHELASTIC_USE_AGENT_STORE", "True"}};
const Settings kSrun = {{"SLURM_PROCID", "3"},  {"SLURM_NTASKS", "4"},  {"SLURM_LOCALID", "1"},
                        {"SLURM_STEP_ID", "0"}, {"SLURM_JOB_ID", "77"}, {"SLURM_NODELIST", "gpu[03-04],login"}};
const Settings kOpenMpi = {{"OMPI_COMM_WORLD_RANK", "1"},
                           {"OMPI_COMM_WORLD_SIZE", "2"},
                           {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                           {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}};
const Settings kMpich = {{"PMI_RANK", "1"}, {"PMI_SIZE", "2"}, {"MPI_LOCALRANKID", "1"}, {"MPI_LOCALNRANKS", "2"}};

TEST(Place, WithoutALauncherThereIsOneProcess) {
  expect_single(place({}));
  expect_single(place({{"MASTER_ADDR", "gpu03"}, {"RANK", ""}}));
}

TEST(Place, OfTorchrun) {
  const ProcessPlace found = place(kTorchrun);
  expect_place(found, 5, 8, 1, "gpu03");
  EXPECT_EQ(found.master_port, 1234);
  EXPECT_TRUE(found.agent_store);
}

TEST(Place, AgentStoreOnlyWhereTheAgentSaysSo) {
  EXPECT_FALSE(place(without(kTorchrun, "TORCHELASTIC_USE_AGENT_STORE")).agent_store);
  EXPECT_FALSE(place(with(kTorchrun, "TORCHELASTIC_USE_AGENT_STORE", "False")).agent_store);
}

TEST(Place, AWorldOfOneNeedsNoLauncher) {
  const Settings pod = {{"RANK", "0"}, {"WORLD_SIZE", "1"}, {"MASTER_ADDR", "localhost"}, {"MASTER_PORT", "29500"}};
  for (const Settings& settings : {pod, with(pod, "LOCAL_RANK", "0"), Settings{{"WORLD_SIZE", "1"}},
                                   Settings{{"OMPI_COMM_WORLD_RANK", "0"}, {"OMPI_COMM_WORLD_SIZE", "1"}},
                                   Settings{{"PMI_RANK", "0"}, {"PMI_SIZE", "1"}}}) {
    expect_single(place(settings));
    EXPECT_FALSE(place(settings).local_rank_is_assumed);
  }
  expect_error([&] { place(with(pod, "RANK", "1")); }, ExitCode::config, {"RANK from 0 to 0", "got 1"});
  expect_error([&] { place(with(pod, "LOCAL_RANK", "zero")); }, ExitCode::config, {"LOCAL_RANK", "'zero'"});
}

TEST(Place, WithoutALocalRankItIsTheFirst) {
  for (const auto& [settings, name] :
       {std::pair(kTorchrun, "LOCAL_RANK"), std::pair(kSrun, "SLURM_LOCALID"),
        std::pair(kOpenMpi, "OMPI_COMM_WORLD_LOCAL_RANK"), std::pair(kMpich, "MPI_LOCALRANKID")}) {
    EXPECT_FALSE(place(settings).local_rank_is_assumed) << name;
    const ProcessPlace told = place(settings), found = place(without(settings, name));
    expect_place(found, told.rank, told.world, 0, told.master_address);
    EXPECT_TRUE(found.local_rank_is_assumed) << name;
  }
}

TEST(Place, TorchrunHalfSet) {
  for (const char* name : {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"})
    expect_error([&] { place(without(kTorchrun, name)); }, ExitCode::config, {"torchrun", name, "hint"});
  expect_error([] { place({{"LOCAL_RANK", "1"}}); }, ExitCode::config, {"torchrun", "WORLD_SIZE"});
}

TEST(Place, ValuesThatMakeNoSense) {
  expect_error([] { place(with(kTorchrun, "RANK", "8")); }, ExitCode::config, {"RANK from 0 to 7", "got 8"});
  expect_error([] { place(with(kTorchrun, "RANK", "first")); }, ExitCode::config, {"RANK", "'first'"});
  expect_error([] { place(with(kTorchrun, "WORLD_SIZE", "0")); }, ExitCode::config, {"WORLD_SIZE", "got 0"});
  expect_error([] { place(with(kTorchrun, "LOCAL_RANK", "-1")); }, ExitCode::config, {"LOCAL_RANK from 0", "got -1"});
  expect_error([] { place(with(kTorchrun, "WORLD_SIZE", "1e9")); }, ExitCode::config, {"WORLD_SIZE", "'1e9'"});
  expect_error([] { place(with(kTorchrun, "MASTER_PORT", "70000")); }, ExitCode::config, {"MASTER_PORT", "70000"});
}

TEST(Place, OfSrun) {
  const ProcessPlace found = place(kSrun);
  expect_place(found, 3, 4, 1, "gpu03");
  EXPECT_EQ(found.master_port, place(with(kSrun, "SLURM_PROCID", "0")).master_port);
  EXPECT_NE(found.master_port, place(with(kSrun, "SLURM_STEP_ID", "1")).master_port);
}

TEST(Place, MasterOfSrun) {
  EXPECT_EQ(place(with(kSrun, "SLURM_NODELIST", "a[1-2,7]b[3,5],c")).master_address, "a1b3");
  EXPECT_EQ(place(with(kSrun, "SLURM_NODELIST", "login,gpu[1-2]")).master_address, "login");
  EXPECT_EQ(place(with(kSrun, "SLURM_STEP_NODELIST", "gpu9")).master_address, "gpu9");
  EXPECT_EQ(place(with(kSrun, "SLURM_NNODES", "1")).master_address, "127.0.0.1");
  EXPECT_EQ(place(with(without(kSrun, "SLURM_NODELIST"), "SLURM_LAUNCH_NODE_IPADDR", "10.0.0.1")).master_address,
            "10.0.0.1");
  const ProcessPlace named = place(with(with(kSrun, "MASTER_ADDR", "gpu05"), "MASTER_PORT", "4321"));
  EXPECT_EQ(named.master_address, "gpu05");
  EXPECT_EQ(named.master_port, 4321);
}

TEST(Place, AShellInsideAnAllocationIsOneProcess) {
  expect_single(place(without(kSrun, "SLURM_STEP_ID")));             // a batch script
  expect_single(place(with(kSrun, "SLURM_STEP_ID", "4294967290")));  // an interactive step
  expect_single(place(with(kSrun, "SLURM_NTASKS", "1")));            // srun --pty bash
  expect_single(place(with(without(kSrun, "SLURM_STEP_ID"), "PMI_RANK", "0")));
}

TEST(Place, SrunThatWasNotToldHowMany) {
  const Settings untold = with(without(kSrun, "SLURM_NTASKS"), "SLURM_STEP_NUM_TASKS", "4");
  expect_place(place(untold), 3, 4, 1, "gpu03");
  expect_single(place(with(with(untold, "SLURM_STEP_NUM_TASKS", "1"), "SLURM_PROCID", "0")));
}

/** `settings` and `more`, which wins. */
Settings both(const Settings& settings, Settings more) {
  more.insert(settings.begin(), settings.end());
  return more;
}

TEST(Place, MpirunInsideASlurmJob) {
  // What the daemons have that mpirun starts by srun, one on each of two machines.
  const Settings daemon = {{"SLURM_PROCID", "1"},           {"SLURM_NTASKS", "2"},  {"SLURM_STEP_NUM_TASKS", "2"},
                           {"SLURM_LOCALID", "0"},          {"SLURM_STEP_ID", "0"}, {"SLURM_JOB_ID", "77"},
                           {"SLURM_NODELIST", "gpu[03-04]"}};
  const Settings batch = {{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "8"}, {"SLURM_LOCALID", "0"}, {"SLURM_JOB_ID", "77"}};
  const Settings master = {{"MASTER_ADDR", "gpu03"}};
  const Settings open_mpi = {{"OMPI_COMM_WORLD_RANK", "5"},
                             {"OMPI_COMM_WORLD_SIZE", "8"},
                             {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                             {"OMPI_COMM_WORLD_LOCAL_SIZE", "4"}};
  const Settings mpich = {{"PMI_RANK", "5"}, {"PMI_SIZE", "8"}, {"MPI_LOCALRANKID", "1"}, {"MPI_LOCALNRANKS", "4"}};
  for (const Settings& outside : {daemon, batch}) {
    expect_place(place(both(outside, both(open_mpi, master))), 5, 8, 1, "gpu03");
    expect_place(place(both(outside, both(mpich, master))), 5, 8, 1, "gpu03");
    expect_place(place(both(outside, kMpich)), 1, 2, 1, "127.0.0.1");
    expect_place(place(both(outside, both(without(mpich, "MPI_LOCALRANKID"), master))), 5, 8, 0, "gpu03");
  }
}

TEST(Place, SrunSetsWhatMpirunSetsToo) {
  const Settings pmi = {{"PMI_RANK", "3"}, {"PMI_SIZE", "4"}};
  expect_place(place(both(kSrun, pmi)), 3, 4, 1, "gpu03");
  // mpirun with one process on each machine: both tell the same, and srun knows the master.
  const Settings local = {{"MPI_LOCALRANKID", "0"}, {"MPI_LOCALNRANKS", "1"}};
  expect_place(place(both(with(kSrun, "SLURM_LOCALID", "0"), both(pmi, local))), 3, 4, 0, "gpu03");
  expect_single(place(
      {{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "1"}, {"SLURM_STEP_ID", "0"}, {"PMI_RANK", "0"}, {"PMI_SIZE", "1"}}));
}

TEST(Place, SrunHalfSet) {
  expect_error([] { place(without(kSrun, "SLURM_NTASKS")); }, ExitCode::config, {"srun", "SLURM_STEP_NUM_TASKS"});
  expect_error([] { place(without(kSrun, "SLURM_NODELIST")); }, ExitCode::config, {"srun", "SLURM_NODELIST"});
}

TEST(Place, OfMpirun) {
  for (const Settings& settings : {kOpenMpi, kMpich}) {
    const ProcessPlace found = place(settings);
    expect_place(found, 1, 2, 1, "127.0.0.1");
    EXPECT_EQ(found.master_port, 29500);
  }
  const Settings far = with(with(kOpenMpi, "OMPI_COMM_WORLD_LOCAL_SIZE", "1"), "MASTER_ADDR", "gpu03");
  EXPECT_EQ(place(far).master_address, "gpu03");
}

TEST(Place, MpirunHalfSet) {
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"})
    expect_error([&] { place(without(kOpenMpi, name)); }, ExitCode::config, {"mpirun", name});
  for (const char* name : {"PMI_RANK", "PMI_SIZE"})
    expect_error([&] { place(without(kMpich, name)); }, ExitCode::config, {"mpirun", name});
  expect_error([] { place(with(kOpenMpi, "OMPI_COMM_WORLD_LOCAL_SIZE", "1")); }, ExitCode::config,
               {"MASTER_ADDR", "several machines"});
}

TEST(Place, TorchrunUnderSrunWins) {
  Settings both = kSrun;
  both.insert(kTorchrun.begin(), kTorchrun.end());
  EXPECT_EQ(place(both).rank, 5);
}

}  // namespace
}  // namespace diptych
