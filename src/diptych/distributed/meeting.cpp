#include "diptych/distributed/meeting.h"

#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

namespace {

constexpr const char* kTryKey = "diptych/try";
constexpr milliseconds kLook{500};  // how often a rank looks whether the try it joined is still the newest

std::string random_name() {
  std::random_device device;
  return cat(std::hex, device(), "-", device());
}

std::string hello_key(const std::string& prefix, int rank) {
  return cat(prefix, "hello/", rank);
}

[[noreturn]] void throw_nobody_came(const ProcessPlace& place, milliseconds deadline, const std::string& missing) {
  throw Error(ExitCode::peer, {cat("rank ", place.rank, " of ", place.world, ", meeting at ", place.master_address, ":",
                                   place.master_port),
                               cat("all ranks within ", fixed(static_cast<double>(deadline.count()) / 1000, 0), " s"),
                               cat("no word from ", missing), "look at the output of those ranks"});
}

/** Rank 0 opens a new try, and says who is part of it when all have said hello. */
std::string open_meeting(KeyStore& store, const ProcessPlace& place, milliseconds deadline) {
  const auto end = Clock::now() + deadline;
  const std::string name = random_name();
  const std::string prefix = cat("diptych/", name, "/");
  store.set(kTryKey, name);
  std::vector<std::string> members = {name};
  std::vector<std::string> missing;
  for (int rank = 1; rank < place.world; ++rank) {
    const auto left = std::chrono::ceil<milliseconds>(end - Clock::now());
    if (store.wait_for(hello_key(prefix, rank), std::max(left, milliseconds(1)))) {
      members.push_back(store.get(hello_key(prefix, rank)));
    } else {
      missing.push_back(cat(rank));
    }
  }
  if (!missing.empty()) throw_nobody_came(place, deadline, "rank " + join(missing, ", "));
  store.set(prefix + "members", join(members, " "));
  return prefix;
}

/** The others join the newest try until one counts them among its members. Throws what c10d throws if the store goes.
 */
std::string join_meeting(KeyStore& store, const ProcessPlace& place, milliseconds deadline) {
  const auto end = Clock::now() + deadline;
  const std::string own_name = random_name();
  std::string joined;
  while (Clock::now() < end) {
    if (!store.wait_for(kTryKey, kLook)) continue;
    const std::string prefix = cat("diptych/", store.get(kTryKey), "/");
    if (prefix != joined) store.set(hello_key(prefix, place.rank), own_name);
    joined = prefix;
    if (!store.wait_for(prefix + "members", kLook)) continue;
    if (store.get(prefix + "members").find(own_name) != std::string::npos) return prefix;
    std::this_thread::sleep_for(kLook);  // a try of processes that have ended
  }
  throw std::runtime_error("the deadline is over");
}

}  // namespace

std::string meet(KeyStore& store, const ProcessPlace& place, milliseconds deadline) {
  try {
    return place.rank == 0 ? open_meeting(store, place, deadline) : join_meeting(store, place, deadline);
  } catch (const Error&) {
    throw;
  } catch (const std::exception&) {
    throw_nobody_came(place, deadline, "rank 0, which may itself miss another rank");
  }
}

}  // namespace diptych
