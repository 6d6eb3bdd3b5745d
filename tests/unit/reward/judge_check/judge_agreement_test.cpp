#include "diptych/reward/judge_check/judge_agreement.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "diptych/base/text_format.h"
#include "diptych/reward/protocols/dvreward.h"
#include "diptych/shapes/examples/rating.h"
#include "unit/reward/fake_judge.h"

namespace diptych {
namespace {

constexpr int64_t kPictures = 90;

const AgreementSet& pictures() {
  static const AgreementSet set = draw_agreement_pictures(shapes::Split::test, kPictures, 5);
  return set;
}

ChatResult yes_no(double yes) {
  const double least = 1e-6;
  return replied(yes > 0.5 ? "yes" : "no",
                 {{"yes", std::log(std::max(yes, least))}, {"no", std::log(std::max(1 - yes, least))}});
}

/** A mark with log-probabilities that are certain of it. */
ChatResult mark(long value) {
  return replied(cat(value), {{cat(value), 0.0}});
}

const AgreementPicture& shown_in(const ChatRequest& request) {
  const auto& part = request.messages.back().parts.front();
  for (const AgreementPicture& picture : pictures().pictures)
    if (part.image->pixels == picture.image.pixels &&
        question_in(request).find(pictures().prompts[picture.prompt].text) != std::string::npos)
      return picture;
  for (const AgreementPicture& picture : pictures().pictures)
    if (part.image->pixels == picture.image.pixels) return picture;
  throw std::runtime_error("unknown picture");
}

double mean_answer(const AgreementPicture& picture, const std::string& kind) {
  const std::vector<AtomicQuestion> questions = questions_of(pictures().prompts[picture.prompt]);
  double sum = 0, count = 0;
  for (size_t i = 0; i < questions.size(); ++i) {
    if (questions[i].kind != kind) continue;
    sum += picture.verdict.answers[i].probability;
    count += 1;
  }
  return sum / count;
}

/** Knows the pictures: says the truth where it is clear, else what the verifier sees. */
ChatResult answer_perfectly(const ChatRequest& request) {
  const AgreementPicture& picture = shown_in(request);
  const std::string asked = question_in(request);
  const std::string& prompt = pictures().prompts[picture.prompt].text;
  if (asked == shapes::rating_question(shapes::RatingKind::holistic, prompt)) return yes_no(picture.verdict.soft);
  if (asked == shapes::rating_question(shapes::RatingKind::scalar, prompt))
    return mark(std::lround(1 + 4 * picture.verdict.soft));
  if (asked == shapes::rating_question(shapes::RatingKind::semantic, prompt))
    return mark(std::lround(10 * mean_answer(picture, "semantic")));
  if (asked == shapes::rating_question(shapes::RatingKind::quality, prompt))
    return mark(std::lround(10 * mean_answer(picture, "quality")));
  const std::vector<AtomicQuestion> questions = questions_of(pictures().prompts[picture.prompt]);
  for (size_t i = 0; i < questions.size(); ++i) {
    if (questions[i].text != asked) continue;
    const std::optional<bool> truth = true_answer(pictures(), picture, i);
    return yes_no(truth ? (*truth ? 1 : 0) : picture.verdict.answers[i].probability);
  }
  throw std::runtime_error("unknown question: " + asked);
}

YesNoOptions png() {
  YesNoOptions options;
  options.encoding = ImageEncoding::png;
  return options;
}

JudgeAgreement agreement_of(const std::function<ChatResult(const ChatRequest&)>& answer) {
  return judge_agreement(pictures(), FakeJudge{answer}, png());
}

TEST(AgreementPictures, ThreeOfEachPromptAsTheirKindsSay) {
  const AgreementSet& set = pictures();
  ASSERT_EQ(set.pictures.size(), static_cast<size_t>(kPictures));
  ASSERT_EQ(set.prompts.size(), static_cast<size_t>(kPictures) / 3);
  for (size_t i = 0; i < set.pictures.size(); ++i) {
    EXPECT_EQ(set.pictures[i].prompt, i / 3);
    EXPECT_EQ(static_cast<size_t>(set.pictures[i].kind), i % 3);
    const bool right = set.pictures[i].kind == PictureKind::right;
    EXPECT_TRUE(set.pictures[i].kind == PictureKind::spoilt || set.pictures[i].verdict.correct == right) << i;
  }
  for (size_t i = 0; i < set.prompts.size(); ++i) EXPECT_EQ(set.prompts[i].implicit, i % 2 == 1);
}

TEST(AgreementPictures, FewerAreTheBeginningOfMore) {
  const AgreementSet some = draw_agreement_pictures(shapes::Split::test, 7, 5);
  ASSERT_EQ(some.pictures.size(), 7u);
  ASSERT_EQ(some.prompts.size(), 3u);
  for (size_t i = 0; i < some.pictures.size(); ++i)
    EXPECT_EQ(some.pictures[i].image.pixels, pictures().pictures[i].image.pixels);
  const AgreementSet others = draw_agreement_pictures(shapes::Split::test, 7, 6);
  EXPECT_NE(others.pictures[0].image.pixels, some.pictures[0].image.pixels);
}

TEST(AgreementPictures, EveryTruthOfARightPictureIsYesAndEveryWrongOneHasANo) {
  for (const AgreementPicture& picture : pictures().pictures) {
    size_t no = 0;
    const size_t count = questions_of(pictures().prompts[picture.prompt]).size();
    for (size_t i = 0; i < count; ++i) {
      const std::optional<bool> truth = true_answer(pictures(), picture, i);
      no += truth == std::optional(false);
      const bool semantic = questions_of(pictures().prompts[picture.prompt])[i].kind == "semantic";
      EXPECT_TRUE(picture.kind != PictureKind::right || truth == std::optional(true));
      EXPECT_TRUE(picture.kind != PictureKind::spoilt || !semantic || !truth);
    }
    EXPECT_TRUE(picture.kind != PictureKind::wrong || no > 0);
  }
}

TEST(JudgeAgreement, PerfectJudge) {
  const JudgeAgreement agreement = agreement_of(answer_perfectly);
  std::set<std::string> tags;
  for (const QuestionAgreement& row : agreement.questions) {
    tags.insert(row.tag);
    EXPECT_GT(row.asked, 0);
    EXPECT_EQ(row.answered, row.asked);
    EXPECT_DOUBLE_EQ(row.accuracy, 1) << row.tag;
    EXPECT_DOUBLE_EQ(row.truly_yes, row.judged_yes) << row.tag;
    EXPECT_NEAR(row.calibration_error, 0, 1e-5) << row.tag;
    EXPECT_NEAR(row.coverage, 1, 1e-5) << row.tag;
  }
  EXPECT_EQ(agreement.questions.front().tag, "all");
  EXPECT_EQ(agreement.questions.front().balanced_accuracy, std::optional(1.0));
  EXPECT_EQ(agreement.questions.front().area_under_curve, std::optional(1.0));
  EXPECT_EQ(tags, (std::set<std::string>{"all", "Existence", "Count", "Attribute", "Spatial", "Negative", "Geometry",
                                         "Texture"}));
  ASSERT_EQ(agreement.rewards.size(), 5u);
  for (const RewardAgreement& row : agreement.rewards) {
    EXPECT_EQ(row.scored, kPictures) << row.name;
    EXPECT_EQ(row.pairs, kPictures / 3) << row.name;
    EXPECT_GT(row.rank_correlation.value(), 0.8) << row.name;
    EXPECT_GT(row.pair_accuracy.value(), 0.95) << row.name;
    EXPECT_EQ(row.first_missing, "") << row.name;
  }
  EXPECT_DOUBLE_EQ(agreement.rewards[0].pair_accuracy.value(), 1);
  EXPECT_NEAR(agreement.rewards[1].rank_correlation.value(), 1, 1e-9);
}

TEST(JudgeAgreement, CoinIsRightHalfTheTime) {
  Stream coin({.seed = 3});
  const JudgeAgreement agreement = agreement_of([&](const ChatRequest& request) {
    if (question_in(request).starts_with("Rate")) return mark(static_cast<long>(1 + coin.below(5)));
    return yes_no(coin.below(2) == 0 ? 0.9 : 0.1);
  });
  const QuestionAgreement& all = agreement.questions.front();
  EXPECT_NEAR(all.accuracy, 0.5, 0.1);
  EXPECT_NEAR(all.balanced_accuracy.value(), 0.5, 0.12);
  EXPECT_NEAR(all.area_under_curve.value(), 0.5, 0.12);
  EXPECT_GT(all.calibration_error, 0.3);
  for (const RewardAgreement& row : agreement.rewards) {
    EXPECT_NEAR(row.rank_correlation.value(), 0, 0.35) << row.name;
    EXPECT_NEAR(row.pair_accuracy.value(), 0.5, 0.3) << row.name;
  }
}

TEST(JudgeAgreement, JudgeThatAlwaysSaysYesIsExposed) {
  const JudgeAgreement agreement = agreement_of(
      [&](const ChatRequest& request) { return question_in(request).starts_with("Rate") ? mark(5) : yes_no(1); });
  const QuestionAgreement& all = agreement.questions.front();
  EXPECT_GT(all.truly_yes, 0.6);  // which makes its accuracy look good
  EXPECT_DOUBLE_EQ(all.accuracy, all.truly_yes);
  EXPECT_DOUBLE_EQ(all.judged_yes, 1);
  EXPECT_EQ(all.balanced_accuracy, std::optional(0.5));
  EXPECT_EQ(all.area_under_curve, std::optional(0.5));
  for (const RewardAgreement& row : agreement.rewards) {
    EXPECT_EQ(row.rank_correlation, std::nullopt) << row.name;
    EXPECT_EQ(row.pair_accuracy, std::optional(0.5)) << row.name;
  }
}

TEST(JudgeAgreement, MissingAnswersAreCountedAndNamed) {
  size_t number = 0;
  const JudgeAgreement agreement = agreement_of([&](const ChatRequest& request) {
    return ++number % 10 == 0 ? failed_request("server is away") : answer_perfectly(request);
  });
  const QuestionAgreement& all = agreement.questions.front();
  EXPECT_LT(all.answered, all.asked);
  EXPECT_GT(all.answered, all.asked * 4 / 5);
  EXPECT_DOUBLE_EQ(all.accuracy, 1);
  for (const RewardAgreement& row : agreement.rewards) {
    EXPECT_LT(row.scored, kPictures) << row.name;
    EXPECT_LT(row.pairs, kPictures / 3) << row.name;
    EXPECT_NE(row.first_missing.find("server is away"), std::string::npos) << row.name;
  }
}

TEST(JudgeAgreement, NoAnswerAtAll) {
  const JudgeAgreement agreement = agreement_of([](const ChatRequest&) { return failed_request("away"); });
  EXPECT_EQ(agreement.questions.front().answered, 0);
  EXPECT_EQ(agreement.questions.front().balanced_accuracy, std::nullopt);
  EXPECT_EQ(agreement.rewards.front().scored, 0);
  EXPECT_EQ(agreement.rewards.front().pair_accuracy, std::nullopt);
}

TEST(JudgeAgreement, CoverageIsTheMassOfYesAndNo) {
  const JudgeAgreement agreement = agreement_of([&](const ChatRequest& request) {
    if (question_in(request).starts_with("Rate")) return mark(3);
    return replied("Yes", {{"Yes", std::log(0.5)}, {"maybe", std::log(0.3)}, {" no", std::log(0.1)}});
  });
  EXPECT_NEAR(agreement.questions.front().coverage, 0.6, 1e-9);
}

TEST(JudgeAgreement, AsksByTheProtocol) {
  FakeJudge judge{answer_perfectly};
  YesNoOptions how = png();
  how.system_prompt = "Be strict.";
  judge_agreement(pictures(), judge, how);
  const ChatRequest& request = judge.batches->front().front();
  ASSERT_EQ(request.messages.size(), 2u);
  EXPECT_EQ(request.messages[0].parts[0].text, "Be strict.");
  for (const std::vector<ChatRequest>& batch : *judge.batches)
    for (const ChatRequest& asked : batch) EXPECT_EQ(asked.messages.back().parts.front().encoding, ImageEncoding::png);
}

}  // namespace
}  // namespace diptych
