#pragma once
// Whether training on a judge is safe, told before any GPU time is spent.

#include <optional>
#include <string>
#include <vector>

#include "diptych/reward/judge/judge_config.h"
#include "diptych/reward/judge/judge_statistics.h"
#include "diptych/reward/judge_check/judge_probe.h"

namespace diptych {

/** In any one currency, per million tokens. */
struct JudgePrices {
  double prompt = 0;
  double completion = 0;
};

struct JudgeCheckOptions {
  JudgeConfig judge;      // its cache is not used
  int64_t requests = 64;  // of the load test, each with its own 512-pixel picture
  std::optional<JudgePrices> prices;
};

struct EndpointCheck {
  std::string url;
  std::vector<JudgeProbe> probes;
};

/** All endpoints at the planned concurrency. */
struct JudgeLoad {
  int64_t requests = 0;
  double seconds = 0;
  JudgeStatistics statistics;
  std::string failure;                      // that of a request without a reply; empty if there is none
  std::optional<double> cost_per_thousand;  // requests; absent without prices or token usage
};

struct JudgeCheckReport {
  std::vector<EndpointCheck> endpoints;
  std::optional<JudgeLoad> load;     // absent if an endpoint failed a probe
  std::vector<std::string> reasons;  // why training is not safe, plain sentences; empty if it is
};

/** Probes each endpoint by itself, then all under load. Failures of the judge are in the report; throws Error(config)
 *  for settings with which nothing can be asked. */
JudgeCheckReport check_judge(const JudgeCheckOptions& options);

}  // namespace diptych
