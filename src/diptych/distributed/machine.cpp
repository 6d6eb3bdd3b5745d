#include "diptych/distributed/machine.h"

#include <unistd.h>

#include <fstream>
#include <map>

#include "diptych/base/text_format.h"

namespace diptych {

std::string host_name() {
  char name[256] = {};
  ::gethostname(name, sizeof name - 1);
  return name;
}

std::string this_machine() {
  std::string number;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> number;
  return number.empty() ? host_name() : number;
}

std::string find_shared_gpus(const std::vector<std::string>& gpus) {
  std::map<std::string, std::vector<std::string>> ranks;  // by GPU
  for (size_t rank = 0; rank < gpus.size(); ++rank) {
    const size_t space = gpus[rank].find(' ');
    if (space > 0)
      ranks[gpus[rank].substr(0, space)].push_back(cat("rank ", rank, " (", gpus[rank].substr(space + 1), ")"));
  }
  std::vector<std::string> shared;
  for (const auto& [gpu, owners] : ranks)
    if (owners.size() > 1) shared.push_back(join(owners, ", ") + " have the same one");
  return join(shared, "; ");
}

}  // namespace diptych
