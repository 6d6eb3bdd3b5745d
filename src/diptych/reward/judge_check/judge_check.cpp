#include "diptych/reward/judge_check/judge_check.h"

#include "diptych/base/stopwatch.h"
#include "diptych/base/text_format.h"
#include "diptych/reward/judge/judge.h"
#include "diptych/reward/protocols/yes_probability.h"

namespace diptych {

namespace {

constexpr int kLoadSide = 512;
constexpr double kMostFailures = 0.02;  // share of the load test's requests

/** A picture like no other of the load test, so that no server answers from its cache. */
Image load_picture(int index) {
  Image image{kLoadSide, kLoadSide, {}};
  image.pixels.reserve(size_t{kLoadSide} * kLoadSide * 3);
  for (int y = 0; y < kLoadSide; ++y)
    for (int x = 0; x < kLoadSide; ++x)
      for (const int value : {x / 2, y / 2, (x + y) / 4 + 37 * index})
        image.pixels.push_back(static_cast<uint8_t>(value));
  return image;
}

std::vector<ChatRequest> load_requests(int64_t count) {
  std::vector<ChatRequest> requests;
  for (int index = 0; index < count; ++index)
    requests.push_back(
        yes_no_request(shared_image(load_picture(index)), cat("Is there a circle? (", index, ")"), YesNoOptions{}));
  return requests;
}

/** The text with the first occurrence of `part`, if any, cut out. */
std::string without(std::string text, const std::string& part) {
  const size_t place = text.find(part);
  return place == std::string::npos ? text : text.erase(place, part.size());
}

JudgeLoad run_load(const JudgeCheckOptions& options) {
  Judge judge(options.judge);
  const std::vector<ChatRequest> requests = load_requests(options.requests);
  const Stopwatch watch;
  const std::vector<ChatResult> results = judge.ask(requests);
  JudgeLoad load;
  load.seconds = watch.seconds();
  load.requests = options.requests;
  load.statistics = judge.statistics();
  for (const ChatResult& result : results)
    if (!result.reply) load.failure = result.failure;
  const JudgeStatistics& counts = load.statistics;
  if (options.prices && counts.answered > 0 && counts.prompt_tokens > 0)
    load.cost_per_thousand = 1e-3 *
                             (options.prices->prompt * static_cast<double>(counts.prompt_tokens) +
                              options.prices->completion * static_cast<double>(counts.completion_tokens)) /
                             static_cast<double>(counts.answered);
  return load;
}

}  // namespace

JudgeCheckReport check_judge(const JudgeCheckOptions& options) {
  JudgeCheckOptions checked = options;
  checked.judge.cache = false;
  check_judge_config(checked.judge);
  JudgeCheckReport report;
  for (const std::string& url : checked.judge.endpoints) {
    JudgeConfig single = checked.judge;
    single.endpoints = {url};
    Judge judge(single);
    std::vector<JudgeProbe> probes =
        probe_judge([&](const std::vector<ChatRequest>& requests) { return judge.ask(requests); });
    for (JudgeProbe& probe : probes) probe.detail = without(probe.detail, cat(url, ": "));
    report.endpoints.push_back({url, std::move(probes)});
    for (const JudgeProbe& probe : report.endpoints.back().probes)
      if (probe.outcome == ProbeOutcome::failed)
        report.reasons.push_back(cat(url, ": ", probe.name, ": ", probe.detail));
  }
  if (!report.reasons.empty()) return report;
  report.load = run_load(checked);
  const double failed = static_cast<double>(report.load->statistics.failed);
  if (failed > kMostFailures * static_cast<double>(checked.requests))
    report.reasons.push_back(
        cat("under load ", failed, " of ", checked.requests, " requests got no answer: ", report.load->failure));
  return report;
}

}  // namespace diptych
