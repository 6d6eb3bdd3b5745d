#include "diptych/bench/judge_bench.h"

#include <algorithm>
#include <chrono>

#include "diptych/base/error.h"
#include "diptych/base/stopwatch.h"
#include "diptych/base/text_format.h"
#include "diptych/bench/mock_judge.h"
#include "diptych/reward/judge/judge.h"
#include "diptych/reward/protocols/yes_probability.h"

namespace diptych {

namespace {

constexpr std::chrono::milliseconds kDelay{50};
constexpr int kSide = 256;  // pixels
constexpr int64_t kQuestionsPerPicture = 6;

SharedImage gradient(int64_t number) {
  Image image{kSide, kSide, {}};
  for (int row = 0; row < kSide; ++row)
    for (int column = 0; column < kSide; ++column)
      for (const int64_t value : {row / 2, column / 2, static_cast<int>(number)})
        image.pixels.push_back(static_cast<uint8_t>(value));
  return shared_image(std::move(image));
}

std::vector<ChatRequest> requests_about_pictures(int64_t count) {
  std::vector<ChatRequest> requests;
  SharedImage image;
  for (int64_t number = 0; number < count; ++number) {
    if (number % kQuestionsPerPicture == 0) image = gradient(number / kQuestionsPerPicture);
    requests.push_back(yes_no_request(image, cat("Is it picture ", number, "?"), {}));
  }
  return requests;
}

struct Measurement {
  double seconds = 0;
  double busy_share = 0;
};

Measurement measure(const std::string& url, int64_t concurrency, const std::vector<ChatRequest>& requests) {
  JudgeConfig config;
  config.endpoints = {url};
  config.model = "mock";
  config.concurrency = concurrency;
  config.cache = false;
  Judge judge(config);
  const Stopwatch watch;
  judge.ask(requests);
  const double seconds = watch.seconds();
  const JudgeStatistics counts = judge.statistics();
  if (counts.failed > 0)
    throw Error(ExitCode::reward, {"benchmark of the judge", "a reply to every request",
                                   cat(counts.failed, " of ", counts.requests, " without one"), ""});
  return {seconds, counts.busy_share};
}

double median(std::vector<Measurement> measurements, double Measurement::*value) {
  const auto middle = measurements.begin() + static_cast<int64_t>(measurements.size() / 2);
  std::nth_element(measurements.begin(), middle, measurements.end(),
                   [&](const Measurement& a, const Measurement& b) { return a.*value < b.*value; });
  return (*middle).*value;
}

BenchRow row(int64_t concurrency, const BenchEffort& effort) {
  constexpr int kRepeats = 3;
  const std::vector<ChatRequest> requests = requests_about_pictures(concurrency * effort.judge_rounds);
  MockJudge server(kDelay);
  std::vector<Measurement> measurements;
  for (int repeat = 0; repeat < kRepeats; ++repeat)
    measurements.push_back(measure(server.url(), concurrency, requests));
  return {cat("judge ", concurrency),
          cat(requests.size(), " requests of ", kDelay.count(), " ms, ", concurrency, " at once"),
          "request",
          median(measurements, &Measurement::seconds) / static_cast<double>(requests.size()),
          std::nullopt,
          median(measurements, &Measurement::busy_share),
          "places"};
}

}  // namespace

void bench_judge(const BenchInput& input) {
  for (const int64_t concurrency : {16, 64}) input.report(row(concurrency, input.effort));
}

}  // namespace diptych
