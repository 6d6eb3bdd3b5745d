#include "diptych/eval/refinement_result.h"

#include "diptych/base/text_format.h"

namespace diptych {

namespace {

/** Counts over the reviews of all samples. */
struct Reviews {
  double count = 0;
  double right = 0;  // of right pictures
  double stops = 0;
  double right_stops = 0;

  void add(const Review& review) {
    count += 1;
    right += review.of_right_picture ? 1 : 0;
    stops += review.stopped ? 1 : 0;
    right_stops += review.stopped && review.of_right_picture ? 1 : 0;
  }
};

double share(double part, double whole) {
  return whole == 0 ? 0 : part / whole;
}

std::string table_of(const RefinementResult& result, const EvaluationConfig& config) {
  std::string table = cat("\nRefinement, mode ", config.refine, ", ", config.refine_rounds, " round",
                          config.refine_rounds == 1 ? "" : "s", "\n");
  table += table_row("before", result.before);
  table += table_row("after", result.after);
  table += table_row("share refined", result.refined);
  table += table_row("right pictures kept right", result.kept_right);
  table += table_row("wrong pictures repaired", result.repaired);
  if (result.described) table += table_row("true descriptions", *result.described);
  if (result.diagnosed) table += table_row("faults named", *result.diagnosed);
  if (config.refine != "self") return table;
  table += table_row("reviews that stopped", result.stops);
  table += table_row("stop precision", result.stop_precision);
  return table + table_row("stop recall", result.stop_recall);
}

}  // namespace

RefinementResult refinement_result(const EvaluationConfig& config, const std::vector<EvaluatedSample>& samples) {
  RefinementResult result;
  Reviews reviews;
  result.by_round.assign(static_cast<size_t>(config.refine_rounds) + 1, 0);
  double right = 0, kept = 0, repaired = 0, refined = 0;
  const auto count = static_cast<double>(samples.size());
  for (const EvaluatedSample& sample : samples) {
    for (size_t r = 0; r < result.by_round.size(); ++r) result.by_round[r] += sample.correct_rounds[r] ? 1 / count : 0;
    const bool before = sample.correct_rounds.front();
    const bool after = sample.correct_rounds.back();
    right += before ? 1 : 0;
    kept += before && after ? 1 : 0;
    repaired += !before && after ? 1 : 0;
    refined += sample.candidate.images.size() > 1 ? 1 : 0;
    for (const Review& review : sample.reviews) reviews.add(review);
  }
  result.before = result.by_round.front();
  result.after = result.by_round.back();
  result.refined = share(refined, count);
  result.kept_right = share(kept, right);
  result.repaired = share(repaired, count - right);
  if (config.refine == "self") {
    result.stops = share(reviews.stops, reviews.count);
    result.stop_precision = share(reviews.right_stops, reviews.stops);
    result.stop_recall = share(reviews.right_stops, reviews.right);
  }
  return result;
}

void tell_refinement(const RefinementResult& refinement, const EvaluationConfig& config, BenchmarkResult& result) {
  std::map<std::string, double> rates = {{"before", refinement.before},
                                         {"after", refinement.after},
                                         {"kept_right", refinement.kept_right},
                                         {"repaired", refinement.repaired},
                                         {"stops", refinement.stops},
                                         {"stop_precision", refinement.stop_precision},
                                         {"stop_recall", refinement.stop_recall}};
  if (refinement.described) rates["described"] = *refinement.described;
  if (refinement.diagnosed) rates["diagnosed"] = *refinement.diagnosed;
  for (const auto& [name, rate] : rates) result.metrics["eval/refine/" + name] = rate;

  nlohmann::json& report = result.report["refinement"] = rates;
  report["mode"] = config.refine;
  report["refined"] = refinement.refined;
  report["by_round"] = refinement.by_round;
  if (config.refine != "self")
    for (const char* name : {"stops", "stop_precision", "stop_recall"}) report.erase(name);
  result.table += table_of(refinement, config);
}

}  // namespace diptych
