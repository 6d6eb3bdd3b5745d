#include "diptych/reward/protocols/dvreward.h"

#include <cmath>
#include <numeric>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/reward/protocols/judged_score.h"

namespace diptych {

namespace {

double sum(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0);
}

double mean_or_one(const std::vector<double>& values) {
  return values.empty() ? 1 : sum(values) / static_cast<double>(values.size());
}

double value_of(const std::vector<double>& semantic, const std::vector<double>& quality, DvRewardAggregate aggregate) {
  const double s = mean_or_one(semantic);
  const double q = mean_or_one(quality);
  switch (aggregate) {
    case DvRewardAggregate::geometric:
    case DvRewardAggregate::binary:
      return std::sqrt(s * q);
    case DvRewardAggregate::arithmetic:
      return 0.5 * (s + q);
    case DvRewardAggregate::pooled: {
      const size_t count = semantic.size() + quality.size();
      return count == 0 ? 1 : (sum(semantic) + sum(quality)) / static_cast<double>(count);
    }
  }
  return 0;
}

std::vector<double> hard(std::vector<double> answers) {
  for (double& v : answers) v = v > 0.5 ? 1 : 0;
  return answers;
}

Score score_answers(const ScoredPair& pair, std::span<const ChatResult> results, const DvRewardOptions& options) {
  const std::vector<AtomicQuestion>& questions = questions_of(*pair.prompt);
  std::vector<double> semantic, quality;
  std::vector<Check> checks;
  std::vector<std::string> records;
  for (size_t i = 0; i < questions.size(); ++i) {
    records.push_back(yes_no_record(questions[i].id, questions[i].text, results[i]));
    const YesNoAnswer answer = yes_no_answer(results[i]);
    if (!answer.yes) continue;
    checks.push_back({questions[i].id, *answer.yes});
    (questions[i].kind == "semantic" ? semantic : quality).push_back(*answer.yes);
  }
  const std::string raw_reply = join(records, "\n");
  if (checks.size() < questions.size()) return masked_score(raw_reply, std::move(checks));
  Score score = dvreward_aggregate(semantic, quality, options.aggregate, options.empty_list);
  score.checks.insert(score.checks.end(), checks.begin(), checks.end());
  score.raw_reply = raw_reply;
  return score;
}

}  // namespace

DvRewardAggregate dvreward_aggregate_kind(std::string_view name) {
  if (name == "geometric") return DvRewardAggregate::geometric;
  if (name == "arithmetic") return DvRewardAggregate::arithmetic;
  if (name == "pooled") return DvRewardAggregate::pooled;
  if (name == "binary") return DvRewardAggregate::binary;
  throw Error(ExitCode::config,
              {"reward.dvreward.aggregate", "geometric, arithmetic, pooled or binary", cat("'", name, "'"), ""});
}

Score dvreward_aggregate(const std::vector<double>& semantic, const std::vector<double>& quality,
                         DvRewardAggregate aggregate, EmptyList empty_list) {
  if (empty_list == EmptyList::error && (semantic.empty() || quality.empty()))
    throw Error(ExitCode::data, {"questions of DVReward", "at least one semantic and one quality question",
                                 cat(semantic.size(), " semantic and ", quality.size(), " quality questions"),
                                 "reward.dvreward.empty_list = \"one\" counts an empty list as answered"});
  const bool is_hard = aggregate == DvRewardAggregate::binary;
  const std::vector<double> s = is_hard ? hard(semantic) : semantic;
  const std::vector<double> q = is_hard ? hard(quality) : quality;
  Score score;
  score.value = value_of(s, q, aggregate);
  score.checks = {{"semantic", mean_or_one(s)}, {"quality", mean_or_one(q)}};
  return score;
}

const std::vector<AtomicQuestion>& questions_of(const TaskPrompt& prompt) {
  const std::vector<AtomicQuestion>& questions = prompt.questions;
  if (questions.empty())
    throw Error(ExitCode::data, {"reward dvreward", "prompts with semantic_questions and quality_questions",
                                 "none for '" + prompt.text + "'", "decompose the prompts first (docs/rewards.md)"});
  for (const AtomicQuestion& question : questions)
    if (question.kind != "semantic" && question.kind != "quality")
      throw Error(ExitCode::data, {cat("question '", question.text, "' of '", prompt.text, "'"),
                                   "the kind \"semantic\" or \"quality\"", "\"" + question.kind + "\"", ""});
  return questions;
}

std::vector<Score> dvreward(const std::vector<ScoredPair>& pairs, const ChatFunction& ask,
                            const DvRewardOptions& options) {
  const auto requests_of = [&](const ScoredPair& pair) {
    const SharedImage image = shared_image(pair.candidate->images.back());
    std::vector<ChatRequest> requests;
    for (const AtomicQuestion& question : questions_of(*pair.prompt))
      requests.push_back(yes_no_request(image, question.text, options.question));
    return requests;
  };
  return judged_scores(pairs, ask, requests_of, [&](const ScoredPair& pair, std::span<const ChatResult> results) {
    return score_answers(pair, results, options);
  });
}

std::vector<Score> holistic_reward(const std::vector<ScoredPair>& pairs, const ChatFunction& ask,
                                   const std::string& question, const YesNoOptions& options) {
  const auto question_about = [&](const ScoredPair& pair) { return fill_in(question, "{prompt}", pair.prompt->text); };
  const auto requests_of = [&](const ScoredPair& pair) -> std::vector<ChatRequest> {
    return {yes_no_request(shared_image(pair.candidate->images.back()), question_about(pair), options)};
  };
  return judged_scores(pairs, ask, requests_of, [&](const ScoredPair& pair, std::span<const ChatResult> results) {
    const YesNoAnswer answer = yes_no_answer(results[0]);
    Score score = answer.yes ? Score{} : masked_score("");
    score.value = answer.yes;
    if (answer.yes) score.checks = {{"yes", *answer.yes}};
    score.raw_reply = yes_no_record("yes", question_about(pair), results[0]);
    return score;
  });
}

}  // namespace diptych
