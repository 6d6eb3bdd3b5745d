#include "diptych/train/run/threads.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "diptych/distributed/machine.h"

namespace diptych {

namespace {

constexpr double kRounding = 1e-6;  // of sums of fractions

std::string to_text(const RankProcessors& rank) {
  nlohmann::json text{{"machine", rank.machine}, {"allowed", rank.processors.allowed}};
  if (const auto& quota = rank.processors.quota) text["quota"] = {quota->processors, quota->group};
  return text.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

RankProcessors parse_rank_processors(const std::string& text) {
  const nlohmann::json parsed = nlohmann::json::parse(text);
  RankProcessors rank{parsed.at("machine"), {parsed.at("allowed"), std::nullopt}};
  if (parsed.contains("quota")) rank.processors.quota = CpuQuota{parsed["quota"].at(0), parsed["quota"].at(1)};
  return rank;
}

}  // namespace

int fair_threads(const std::vector<RankProcessors>& ranks, size_t own) {
  const RankProcessors& self = ranks[own];
  const auto here = [&](const RankProcessors& rank) { return rank.machine == self.machine; };
  double share = 0;
  for (const int processor : self.processors.allowed)
    share += 1.0 / static_cast<double>(std::ranges::count_if(ranks, [&](const RankProcessors& rank) {
               return here(rank) && std::ranges::count(rank.processors.allowed, processor) > 0;
             }));
  if (const auto& quota = self.processors.quota)
    share = std::min(
        share, quota->processors / static_cast<double>(std::ranges::count_if(ranks, [&](const RankProcessors& rank) {
                 const auto& other = rank.processors.quota;
                 return here(rank) && other && other->group == quota->group;
               })));
  return std::max(1, static_cast<int>(share + kRounding));
}

void use_threads(int64_t threads) {
  at::set_num_threads(threads > 0 ? static_cast<int>(threads) : processor_count(usable_processors()));
}

void use_threads(int64_t threads, ProcessGroup& ranks) {
  std::vector<RankProcessors> all;
  for (const std::string& text :
       ranks.gather_strings(to_text({this_machine(), usable_processors()}), "processors of the ranks"))
    all.push_back(parse_rank_processors(text));
  use_threads(threads > 0 ? threads : fair_threads(all, static_cast<size_t>(ranks.rank())));
}

}  // namespace diptych
