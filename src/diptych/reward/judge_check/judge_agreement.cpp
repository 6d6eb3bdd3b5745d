#include "diptych/reward/judge_check/judge_agreement.h"

#include <algorithm>

#include "diptych/reward/judge_check/agreement_statistics.h"
#include "diptych/reward/protocols/dvreward.h"
#include "diptych/reward/protocols/scalar_score.h"
#include "diptych/reward/protocols/viescore.h"
#include "diptych/shapes/examples/rating.h"

namespace diptych {

namespace {

/** Answers to questions with a clear truth. */
struct Answers {
  std::string tag;
  int64_t asked = 0;
  std::vector<double> yes = {};
  std::vector<bool> truths = {};
  double coverage = 0;  // sum
};

/** One value a picture, where there is one, and why the first has none. */
struct RewardValues {
  std::string name;
  std::vector<std::optional<double>> values;
  std::string first_missing;
};

void add_answer(Answers& answers, const std::optional<double>& yes, bool truth, double coverage) {
  ++answers.asked;
  if (!yes) return;
  answers.yes.push_back(*yes);
  answers.truths.push_back(truth);
  answers.coverage += coverage;
}

QuestionAgreement question_agreement(const Answers& answers) {
  QuestionAgreement agreement;
  agreement.tag = answers.tag;
  agreement.asked = answers.asked;
  agreement.answered = static_cast<int64_t>(answers.yes.size());
  agreement.balanced_accuracy = balanced_accuracy(answers.yes, answers.truths);
  agreement.area_under_curve = area_under_curve(answers.yes, answers.truths);
  agreement.calibration_error = calibration_error(answers.yes, answers.truths);
  if (answers.yes.empty()) return agreement;
  int64_t truly_yes = 0, judged_yes = 0, right = 0;
  for (size_t i = 0; i < answers.yes.size(); ++i) {
    const bool yes = answers.yes[i] > 0.5;
    truly_yes += answers.truths[i];
    judged_yes += yes;
    right += yes == answers.truths[i];
  }
  const auto share = [&](auto count) { return static_cast<double>(count) / static_cast<double>(answers.yes.size()); };
  agreement.truly_yes = share(truly_yes);
  agreement.judged_yes = share(judged_yes);
  agreement.accuracy = share(right);
  agreement.coverage = share(answers.coverage);
  return agreement;
}

/** Answers by tag, those of all tags in front, and DVReward's values. */
struct AskedQuestions {
  std::vector<Answers> answers = {{.tag = "all"}};
  RewardValues dvreward{.name = "dvreward", .values = {}, .first_missing = {}};
};

Answers& answers_with_tag(std::vector<Answers>& answers, const std::string& tag) {
  const auto found = std::find_if(answers.begin(), answers.end(), [&](const Answers& a) { return a.tag == tag; });
  if (found != answers.end()) return *found;
  answers.push_back({.tag = tag});
  return answers.back();
}

std::vector<ChatRequest> question_requests(const AgreementSet& set, const YesNoOptions& how) {
  std::vector<ChatRequest> requests;
  for (const AgreementPicture& picture : set.pictures) {
    const SharedImage image = shared_image(picture.image);
    for (const AtomicQuestion& question : questions_of(set.prompts[picture.prompt]))
      requests.push_back(yes_no_request(image, question.text, how));
  }
  return requests;
}

AskedQuestions ask_questions(const AgreementSet& set, const ChatFunction& ask, const YesNoOptions& how) {
  const std::vector<ChatResult> results = ask(question_requests(set, how));
  AskedQuestions asked;
  size_t next = 0;
  for (const AgreementPicture& picture : set.pictures) {
    const std::vector<AtomicQuestion> questions = questions_of(set.prompts[picture.prompt]);
    std::vector<double> semantic, quality;
    for (size_t i = 0; i < questions.size(); ++i) {
      const ChatResult& result = results[next++];
      const YesNoAnswer answer = yes_no_answer(result);
      if (!answer.yes && asked.dvreward.first_missing.empty()) asked.dvreward.first_missing = answer.failure;
      if (answer.yes) (questions[i].kind == "semantic" ? semantic : quality).push_back(*answer.yes);
      const std::optional<bool> truth = true_answer(set, picture, i);
      if (!truth) continue;
      const double coverage = answer.coverage;
      add_answer(asked.answers.front(), answer.yes, *truth, coverage);
      add_answer(answers_with_tag(asked.answers, questions[i].tag), answer.yes, *truth, coverage);
    }
    const bool complete = semantic.size() + quality.size() == questions.size();
    asked.dvreward.values.push_back(
        complete ? dvreward_aggregate(semantic, quality, DvRewardAggregate::geometric, EmptyList::one).value
                 : std::nullopt);
  }
  return asked;
}

RewardValues values_of(const std::string& name, const std::vector<Score>& scores) {
  RewardValues values{.name = name, .values = {}, .first_missing = {}};
  for (const Score& score : scores) {
    values.values.push_back(score.value);
    if (!score.value && values.first_missing.empty()) values.first_missing = score.raw_reply;
  }
  return values;
}

std::vector<RewardValues> ask_rewards(const AgreementSet& set, const ChatFunction& ask, const YesNoOptions& how) {
  std::vector<Candidate> candidates(set.pictures.size());
  std::vector<ScoredPair> pairs;
  for (size_t i = 0; i < set.pictures.size(); ++i) {
    const TaskPrompt& prompt = set.prompts[set.pictures[i].prompt];
    candidates[i].prompt = prompt.text;
    candidates[i].images = {set.pictures[i].image};
    pairs.push_back({&prompt, &candidates[i]});
  }
  const auto question = [](shapes::RatingKind kind) { return shapes::rating_question(kind, "{prompt}"); };
  const auto scalar = [&](bool from_logprobs) {
    return scalar_score(pairs, ask, {from_logprobs, question(shapes::RatingKind::scalar), how.encoding});
  };
  const VieScoreOptions vie{question(shapes::RatingKind::semantic), question(shapes::RatingKind::quality),
                            how.encoding};
  return {values_of("judge_holistic", holistic_reward(pairs, ask, question(shapes::RatingKind::holistic), how)),
          values_of("scalar_logprobs", scalar(true)), values_of("scalar_written", scalar(false)),
          values_of("viescore", viescore(pairs, ask, vie))};
}

RewardAgreement reward_agreement(const AgreementSet& set, const RewardValues& reward) {
  RewardAgreement agreement;
  agreement.name = reward.name;
  agreement.first_missing = reward.first_missing;
  std::vector<double> judged, verified;
  std::vector<std::optional<double>> of_right(set.prompts.size());
  double ranked = 0;
  for (size_t i = 0; i < set.pictures.size(); ++i) {
    const AgreementPicture& picture = set.pictures[i];
    const std::optional<double>& value = reward.values[i];
    if (!value) continue;
    judged.push_back(*value);
    verified.push_back(picture.verdict.soft);
    if (picture.kind == PictureKind::right) of_right[picture.prompt] = value;
    if (picture.kind != PictureKind::wrong || !of_right[picture.prompt]) continue;
    ++agreement.pairs;
    ranked += *of_right[picture.prompt] > *value ? 1 : *of_right[picture.prompt] == *value ? 0.5 : 0;
  }
  agreement.scored = static_cast<int64_t>(judged.size());
  agreement.rank_correlation = rank_correlation(judged, verified);
  if (agreement.pairs > 0) agreement.pair_accuracy = ranked / static_cast<double>(agreement.pairs);
  return agreement;
}

}  // namespace

JudgeAgreement judge_agreement(const AgreementSet& set, const ChatFunction& ask, const YesNoOptions& how) {
  const AskedQuestions asked = ask_questions(set, ask, how);
  JudgeAgreement agreement;
  for (const Answers& answers : asked.answers) agreement.questions.push_back(question_agreement(answers));
  agreement.rewards.push_back(reward_agreement(set, asked.dvreward));
  for (const RewardValues& reward : ask_rewards(set, ask, how))
    agreement.rewards.push_back(reward_agreement(set, reward));
  return agreement;
}

}  // namespace diptych
