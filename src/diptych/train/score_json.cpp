#include "diptych/train/score_json.h"

namespace diptych {

using nlohmann::json;

namespace {

json json_of_check(const Check& check) {
  return {check.name, check.value};
}

Check check_of(const json& stored) {
  return {stored.at(0), stored.at(1)};
}

json json_of_check(const std::vector<Check>& checks) {
  json list = json::array();
  for (const Check& check : checks) list.push_back(json_of_check(check));
  return list;
}

std::vector<Check> checks_of(const json& stored) {
  std::vector<Check> checks;
  for (const json& check : stored) checks.push_back(check_of(check));
  return checks;
}

}  // namespace

json json_of_score(const Score& score) {
  json stored{{"status", static_cast<int>(score.status)},
              {"checks", json_of_check(score.checks)},
              {"terms", json_of_check(score.terms)},
              {"reply", score.raw_reply}};
  if (score.value) stored["value"] = *score.value;
  return stored;
}

Score score_of_json(const json& stored) {
  Score score;
  score.status = static_cast<ScoreStatus>(stored.at("status").get<int>());
  score.checks = checks_of(stored.at("checks"));
  score.terms = checks_of(stored.at("terms"));
  score.raw_reply = stored.at("reply");
  if (stored.contains("value")) score.value = stored.at("value").get<double>();
  return score;
}

}  // namespace diptych
