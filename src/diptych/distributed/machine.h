#pragma once
// What the ranks of one machine share.

#include <string>
#include <vector>

namespace diptych {

/** What tells this machine, between two starts of it, from all others; the same in its containers. */
std::string this_machine();
/** Its name, for people. */
std::string host_name();

/** Which ranks have a GPU in common, in words; empty if each has its own. `gpus`: of each rank, what tells its GPU from
 *  all others (nothing where several ranks may have it), a space, and its name for people. */
std::string find_shared_gpus(const std::vector<std::string>& gpus);

}  // namespace diptych
