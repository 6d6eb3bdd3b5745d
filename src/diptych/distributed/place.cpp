#include "diptych/distributed/place.h"

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {

namespace {

constexpr const char* kThisMachine = "127.0.0.1";
constexpr int kDefaultPort = 29500;  // torchrun's
// Ports of runs that name none lie below those that systems give to outgoing connections.
constexpr int kFirstPort = 15000;
constexpr int kPortCount = 16000;
// Slurm numbers the steps that are shells, not srun's programs, from here on.
constexpr int64_t kFirstSpecialStep = 0xfffffff0;

/** The variables of one launcher. */
class Variables {
 public:
  Variables(const EnvironmentVariables& environment, std::string launcher)
      : environment_(environment), launcher_(std::move(launcher)) {}

  /** Empty variables count as not set. */
  std::optional<std::string> text(const char* name) const {
    const char* value = environment_(name);
    if (value == nullptr || *value == '\0') return std::nullopt;
    return value;
  }

  std::optional<int64_t> number(const char* name) const {
    const std::optional<std::string> value = text(name);
    int64_t number = 0;
    if (!value) return std::nullopt;
    const char* end = value->data() + value->size();
    const auto [stopped, failure] = std::from_chars(value->data(), end, number);
    if (failure != std::errc() || stopped != end) fail(cat(name, " to be a whole number"), cat("'", *value, "'"), "");
    return number;
  }

  int number_from_to(const char* name, int64_t low, int64_t high, const char* hint) const {
    const std::optional<int64_t> value = number(name);
    if (!value) fail(cat("the variable ", name, " beside the launcher's others"), "none", hint);
    if (*value < low || *value > high) fail(cat(name, " from ", low, " to ", high), cat(*value), "");
    return static_cast<int>(*value);
  }

  [[noreturn]] void fail(const std::string& expected, const std::string& got, const std::string& hint) const {
    throw Error(ExitCode::config, {cat("environment of ", launcher_), expected, got, hint});
  }

 private:
  const EnvironmentVariables& environment_;
  std::string launcher_;
};

constexpr const char* kHalfSet = "start the program through the launcher, or unset its variables for a single process";

ProcessPlace read_ranks(const Variables& variables, const char* rank, const char* world, const char* local_rank) {
  ProcessPlace place;
  place.world = variables.number_from_to(world, 1, INT32_MAX, kHalfSet);
  if (place.world > 1 || variables.text(rank))
    place.rank = variables.number_from_to(rank, 0, place.world - 1, kHalfSet);
  if (variables.text(local_rank)) {
    place.local_rank = variables.number_from_to(local_rank, 0, place.world - 1, kHalfSet);
  } else {
    place.local_rank_is_assumed = place.world > 1;
  }
  return place;
}

int master_port(const Variables& variables, int fallback) {
  if (!variables.text("MASTER_PORT")) return fallback;
  return variables.number_from_to("MASTER_PORT", 1, 65535, "");
}

/** The same number from 0 to kPortCount - 1 on every rank: FNV-1a. */
int port_of(std::string_view text) {
  uint32_t hash = 2166136261u;
  for (char character : text) hash = (hash ^ static_cast<unsigned char>(character)) * 16777619u;
  return kFirstPort + static_cast<int>(hash % kPortCount);
}

/** The first host of Slurm's short form: "gpu[03-05,09],login" is gpu03. */
std::string first_host(std::string_view hosts) {
  std::string host;
  for (size_t at = 0; at < hosts.size() && hosts[at] != ','; ++at) {
    if (hosts[at] != '[') {
      host += hosts[at];
      continue;
    }
    const size_t close = std::min(hosts.find(']', at), hosts.size());
    const std::string_view range = hosts.substr(at + 1, close - at - 1);
    host += range.substr(0, range.find_first_of(",-"));
    at = close;
  }
  return host;
}

ProcessPlace from_torchrun(const Variables& variables) {
  ProcessPlace place = read_ranks(variables, "RANK", "WORLD_SIZE", "LOCAL_RANK");
  if (place.world == 1) return {};
  const std::optional<std::string> address = variables.text("MASTER_ADDR");
  if (!address) variables.fail("the variable MASTER_ADDR, the host of rank 0", "none", kHalfSet);
  place.master_address = *address;
  place.master_port = variables.number_from_to("MASTER_PORT", 1, 65535, kHalfSet);
  place.agent_store = variables.text("TORCHELASTIC_USE_AGENT_STORE") == "True";
  return place;
}

/** The variable with the number of processes that srun started: the first may be missing where nobody asked for it. */
const char* srun_world(const Variables& variables) {
  return variables.text("SLURM_NTASKS") ? "SLURM_NTASKS" : "SLURM_STEP_NUM_TASKS";
}

/** A batch script or an interactive shell has SLURM_PROCID too, but no ordinary step: one process, as outside Slurm. */
bool started_by_srun(const Variables& variables) {
  const std::optional<int64_t> step = variables.number("SLURM_STEP_ID");
  return variables.text("SLURM_PROCID") && step && *step >= 0 && *step < kFirstSpecialStep &&
         variables.number(srun_world(variables)) != 1;
}

/** Whether PMI_RANK and PMI_SIZE are there and are mpirun's. srun sets them too, equal to its own, for a single process
 *  as well, but not the local ones. With one process on each machine mpirun's are equal to those of the daemons which
 *  srun started for it: then srun knows more, namely the master. */
bool started_by_mpich(const Variables& mpirun, const Variables& srun) {
  const std::optional<int64_t> rank = mpirun.number("PMI_RANK");
  const std::optional<int64_t> world = mpirun.number("PMI_SIZE");
  if (!rank && !world) return false;
  if (started_by_srun(srun) && rank == srun.number("SLURM_PROCID") && world == srun.number(srun_world(srun)) &&
      mpirun.number("MPI_LOCALNRANKS").value_or(1) == 1)
    return false;
  return world.value_or(1) > 1 || mpirun.text("MPI_LOCALRANKID") || !mpirun.text("SLURM_PROCID");
}

std::string slurm_master(const Variables& variables) {
  if (variables.number("SLURM_STEP_NUM_NODES").value_or(variables.number("SLURM_NNODES").value_or(0)) == 1)
    return kThisMachine;
  for (const char* name : {"SLURM_STEP_NODELIST", "SLURM_NODELIST", "SLURM_JOB_NODELIST"})
    if (const auto hosts = variables.text(name)) return first_host(*hosts);
  if (const auto address = variables.text("SLURM_LAUNCH_NODE_IPADDR")) return *address;
  variables.fail("SLURM_NODELIST or MASTER_ADDR, which name the host of rank 0", "neither", kHalfSet);
}

ProcessPlace from_srun(const Variables& variables) {
  ProcessPlace place = read_ranks(variables, "SLURM_PROCID", srun_world(variables), "SLURM_LOCALID");
  place.master_address = variables.text("MASTER_ADDR").value_or("");
  if (place.master_address.empty()) place.master_address = slurm_master(variables);
  const std::string step = cat(variables.text("SLURM_JOB_ID").value_or(""), ".", *variables.text("SLURM_STEP_ID"));
  place.master_port = master_port(variables, port_of(step));
  return place;
}

/** mpirun tells nobody where rank 0 is, unless all ranks are on this machine. */
ProcessPlace from_mpirun(const Variables& variables, ProcessPlace place, const char* local_size) {
  if (place.world == 1) return {};
  place.master_address = variables.text("MASTER_ADDR").value_or("");
  if (place.master_address.empty()) {
    if (variables.number(local_size).value_or(0) != place.world)
      variables.fail("MASTER_ADDR, the host of rank 0, since the ranks are on several machines", "none",
                     "mpirun -x MASTER_ADDR=HOST -x MASTER_PORT=29500 (Open MPI), -genv MASTER_ADDR HOST (MPICH)");
    place.master_address = kThisMachine;
  }
  const auto job = variables.text("PMIX_NAMESPACE");
  place.master_port = master_port(variables, job ? port_of(*job) : kDefaultPort);
  return place;
}

}  // namespace

ProcessPlace place_from_environment(const EnvironmentVariables& environment) {
  const Variables torchrun(environment, "torchrun");
  const Variables srun(environment, "srun");
  const Variables mpirun(environment, "mpirun");
  const auto any = [&](std::initializer_list<const char*> names) {
    for (const char* name : names)
      if (torchrun.text(name)) return true;
    return false;
  };
  if (any({"RANK", "WORLD_SIZE"})) return from_torchrun(torchrun);
  // Inside a Slurm job mpirun starts daemons by srun, whose variables come down to our processes.
  if (any({"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"}))
    return from_mpirun(mpirun,
                       read_ranks(mpirun, "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"),
                       "OMPI_COMM_WORLD_LOCAL_SIZE");
  if (started_by_mpich(mpirun, srun))
    return from_mpirun(mpirun, read_ranks(mpirun, "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID"), "MPI_LOCALNRANKS");
  if (started_by_srun(srun)) return from_srun(srun);
  if (any({"LOCAL_RANK"})) return from_torchrun(torchrun);
  return {};
}

ProcessPlace place_from_environment() {
  return place_from_environment([](const char* name) { return std::getenv(name); });
}

}  // namespace diptych
