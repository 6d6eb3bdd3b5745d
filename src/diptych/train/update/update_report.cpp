#include "diptych/train/update/update_report.h"

#include <nlohmann/json.hpp>

#include "diptych/train/run/exchanged_json.h"

namespace diptych {

namespace {

nlohmann::json to_json(const RatioStatistics& ratios) {
  if (ratios.count == 0) return nullptr;
  return {ratios.count, ratios.ratio_mean.item<double>(), ratios.max_abs_log_ratio.item<double>(),
          ratios.fraction_above.item<double>(), ratios.fraction_below.item<double>()};
}

RatioStatistics ratios_of(const nlohmann::json& stored) {
  if (stored.is_null()) return {};
  const auto number = [&](size_t i) { return at::scalar_tensor(stored.at(i).get<double>(), at::kDouble); };
  return {stored.at(0), number(1), number(2), number(3), number(4)};
}

nlohmann::json to_json(const LossReport& report) {
  nlohmann::json terms = nlohmann::json::object();
  for (const auto& [name, term] : report) terms[name] = {term.loss, to_json(term.ratios)};
  return terms;
}

LossReport losses_of(const nlohmann::json& stored) {
  LossReport report;
  for (const auto& [name, term] : stored.items())
    report[name] = {.loss = term.at(0).get<double>(), .ratios = ratios_of(term.at(1))};
  return report;
}

}  // namespace

void join_reports(ProcessGroup& ranks, UpdateReport& report) {
  if (ranks.world() == 1) return;
  GateReport& gate = report.gate;
  const nlohmann::json own{{"losses", to_json(report.losses)},
                           {"first", report.first_ratios},
                           {"gate", {gate.text_mean * gate.tokens, gate.text_max, gate.image_max, gate.tokens}},
                           {"flops", report.flops}};
  report.losses = empty_report();
  report.flops = 0;
  gate = {};
  for (const nlohmann::json& other : gather_json(ranks, own, "report of the update")) {
    add_report(report.losses, losses_of(other.at("losses")));
    for (const auto& [name, largest] : other.at("first").items())
      report.first_ratios[name] = std::max(report.first_ratios[name], largest.get<double>());
    const auto number = [&](size_t i) { return other.at("gate").at(i).get<double>(); };
    gate.text_mean += number(0);
    gate.tokens += number(3);
    gate.text_max = std::max(gate.text_max, number(1));
    gate.image_max = std::max(gate.image_max, number(2));
    report.flops += other.at("flops").get<double>();
  }
  if (gate.tokens > 0) gate.text_mean /= gate.tokens;
}

}  // namespace diptych
