#pragma once
// Which of the processes of a run this one is, told by the program that started it.

#include <functional>
#include <string>

namespace diptych {

/** The place of this process among those of a run. */
struct ProcessPlace {
  int rank = 0;                // 0 ... world - 1
  int world = 1;               // number of processes
  int local_rank = 0;          // among those on the same machine: the number of its GPU
  std::string master_address;  // where the ranks meet; empty with one process
  int master_port = 0;
  bool agent_store = false;            // the launcher holds the store there, so that no rank may bind the port
  bool local_rank_is_assumed = false;  // of several processes: the launcher does not tell it, and 0 is taken
};

/** Value of an environment variable, nullptr if it is not set: std::getenv. */
using EnvironmentVariables = std::function<const char*(const char*)>;

/** Reads the variables of, in this order, torchrun (also set by `diptych launch`), Open MPI's mpirun, the mpirun of
 * MPICH and Intel, and srun. None of them: a single process. MASTER_ADDR and MASTER_PORT beat what srun or mpirun tell.
 * Launchers that start one process on each machine, as Kubernetes' operators do, tell no local rank: it is 0. A world
 * of one process needs nothing beside its size. Throws Error(config) where a variable is missing without which several
 * processes cannot meet, makes no sense, or contradicts another. */
ProcessPlace place_from_environment(const EnvironmentVariables& environment);
/** The same with this process's own environment. */
ProcessPlace place_from_environment();

}  // namespace diptych
