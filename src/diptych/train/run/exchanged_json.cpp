#include "diptych/train/run/exchanged_json.h"

namespace diptych {

using nlohmann::json;

namespace {

json json_of_check(const Check& check) {
  return {check.name, check.value};
}

Check check_of(const json& stored) {
  return {stored.at(0), stored.at(1)};
}

json json_of_checks(const std::vector<Check>& checks) {
  json list = json::array();
  for (const Check& check : checks) list.push_back(json_of_check(check));
  return list;
}

std::vector<Check> checks_of(const json& stored) {
  std::vector<Check> checks;
  for (const json& check : stored) checks.push_back(check_of(check));
  return checks;
}

json json_of_terms(const std::vector<TermScore>& terms) {
  json list = json::array();
  for (const TermScore& term : terms)
    list.push_back({term.name, term.weight, term.value ? json(*term.value) : json(nullptr)});
  return list;
}

std::vector<TermScore> terms_of_json(const json& stored) {
  std::vector<TermScore> terms;
  for (const json& term : stored) {
    terms.push_back({term.at(0), term.at(1), std::nullopt});
    if (!term.at(2).is_null()) terms.back().value = term.at(2).get<double>();
  }
  return terms;
}

}  // namespace

json json_of_score(const Score& score) {
  json stored{{"status", static_cast<int>(score.status)},
              {"checks", json_of_checks(score.checks)},
              {"terms", json_of_terms(score.terms)},
              {"reply", score.raw_reply}};
  if (score.value) stored["value"] = *score.value;
  return stored;
}

Score score_of_json(const json& stored) {
  Score score;
  score.status = static_cast<ScoreStatus>(stored.at("status").get<int>());
  score.checks = checks_of(stored.at("checks"));
  score.terms = terms_of_json(stored.at("terms"));
  score.raw_reply = stored.at("reply");
  if (stored.contains("value")) score.value = stored.at("value").get<double>();
  return score;
}

std::vector<json> gather_json(ProcessGroup& ranks, const json& own, const std::string& what) {
  const std::vector<uint8_t> bytes = json::to_cbor(own);
  std::vector<json> all;
  for (const std::string& stored : ranks.gather_strings({bytes.begin(), bytes.end()}, what))
    all.push_back(json::from_cbor(stored));
  return all;
}

}  // namespace diptych
