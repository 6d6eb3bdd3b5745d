#include "diptych/tensor/torch.h"

#include "diptych/train/rollout/rollout_record.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "diptych/io/files.h"
#include "diptych/reward/shapes_task.h"
#include "diptych/shapes/world/caption.h"
#include "support/pictures.h"
#include "support/scripted_model.h"
#include "support/temporary_folder.h"

namespace diptych {
namespace {

/** Two stages of each of six prompts: a picture, and a stop. */
RewardedRollout two_stages_each() {
  RewardedRollout step;
  step.rollout.prompts = 6;
  for (int64_t p = 0; p < 6; ++p) {
    step.prompts.emplace_back();
    step.prompts.back().text = "prompt " + std::to_string(p);
    if (p == 0) step.prompts.back().questions = {{.kind = "semantic", .tag = "Count", .text = "Two?", .id = "s1"}};
    for (int64_t round = 0; round < 2; ++round) {
      Stage stage;
      stage.prompt = p;
      stage.sample = 1;
      stage.round = round;
      stage.end = round == 0 ? StageEnd::painted : StageEnd::stopped;
      stage.candidate = {
          .prompt = step.prompts.back().text, .texts = {"<think> \xff </think>"}, .images = {}};  // no UTF-8
      if (round == 0) stage.candidate.images = {picture(8, 8, static_cast<int>(p))};
      step.rollout.stages.push_back(std::move(stage));
      step.scores.emplace_back();
      step.scores.back().status = round == 0 ? ScoreStatus::ok : ScoreStatus::failed;
      if (round == 0) {
        step.scores.back().value = 0.25;
        step.scores.back().checks = {{"s1", 0.5}};
        step.scores.back().raw_reply = "yes";
      }
      step.rewards.push_back(round == 0 ? 0.25 : -0.5);
      step.valid.push_back(true);
      step.groups.push_back(2 * p + round);
      step.before.push_back(round == 0 ? std::nullopt : std::optional(0.25));
      step.advantages.values.push_back(round == 0 ? 1.5 : -1.5);
    }
  }
  return step;
}

class RolloutRecordTest : public ::testing::Test {
 protected:
  void record(int64_t step, const RewardedRollout& rewarded) const {
    record_rollout(folder_.path() / "run", step, rewarded, made_.model);
  }

  std::vector<nlohmann::json> rows(const std::string& step) const {
    std::istringstream lines(read_file(records_ / (step + ".jsonl")));
    std::vector<nlohmann::json> rows;
    for (std::string line; std::getline(lines, line);) rows.push_back(nlohmann::json::parse(line));
    return rows;
  }

  void SetUp() override { make_folder(folder_.path() / "run"); }

  const TemporaryFolder folder_;
  const std::filesystem::path records_ = folder_.path() / "run" / "rollouts";
  const ModelFolder made_ = make_scripted_model(folder_.path() / "model");
};

TEST_F(RolloutRecordTest, WritesTheStagesOfTheFirstPrompts) {
  record(42, two_stages_each());
  const std::vector<nlohmann::json> rows = this->rows("step_000042");
  ASSERT_EQ(rows.size(), 8u);  // four prompts
  for (size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(rows[i].at("prompt"), "prompt " + std::to_string(i / 2));
    EXPECT_EQ(rows[i].at("group"), i);
    EXPECT_EQ(rows[i].at("sample"), 1);
    EXPECT_EQ(rows[i].at("round"), i % 2);
    EXPECT_EQ(rows[i].at("texts").size(), 1u);
    EXPECT_EQ(rows[i].at("valid"), true);
    EXPECT_EQ(rows[i].at("reward"), i % 2 == 0 ? 0.25 : -0.5);
    EXPECT_EQ(rows[i].at("advantage"), i % 2 == 0 ? 1.5 : -1.5);
  }
  const nlohmann::json &painted = rows[2], &stopped = rows[3];
  EXPECT_EQ(painted.at("end"), "painted");
  EXPECT_EQ(painted.at("score"), 0.25);
  EXPECT_EQ(painted.at("reply"), "yes");
  EXPECT_EQ(painted.at("checks").at(0).at("name"), "s1");
  EXPECT_EQ(painted.at("checks").at(0).at("value"), 0.5);
  EXPECT_FALSE(painted.contains("score_before"));
  EXPECT_EQ(read_image(records_ / painted.at("image").get<std::string>()).pixels, picture(8, 8, 1).pixels);
  EXPECT_EQ(stopped.at("end"), "stopped");
  EXPECT_EQ(stopped.at("score_before"), 0.25);
  for (const char* key : {"score", "image", "strip", "checks", "reply"}) EXPECT_FALSE(stopped.contains(key)) << key;
}

TEST_F(RolloutRecordTest, QuestionsAreThoseThatWereAnswered) {
  RewardedRollout step = two_stages_each();
  step.prompts[1].questions = shapes_questions(shapes::parse_caption("a red circle").value());
  record(0, step);
  const std::vector<nlohmann::json> rows = this->rows("step_000000");
  EXPECT_EQ(rows[0].at("questions").size(), 1u);
  EXPECT_EQ(rows[0].at("questions").at(0).at("text"), "Two?");  // the prompt's own
  EXPECT_EQ(rows[2].at("questions").size(), 1u);                // s1 of those that its request implies
  EXPECT_EQ(rows[2].at("questions").at(0).at("id"), "s1");
  EXPECT_FALSE(rows[1].contains("questions"));  // no answers
  EXPECT_FALSE(rows[4].contains("questions"));  // nobody knows what was asked
}

TEST_F(RolloutRecordTest, StripsShowTheImageThatIsExpectedAtEachTrainedStep) {
  RewardedRollout step = two_stages_each();
  step.rollout.schedule = {.grid = {1, 0.75, 0.5, 0}, .noise_level = 0.7, .window_begin = 1, .window_size = 2};
  const int64_t channels = latent_token_width(made_.model.config);
  const Tensor latent = at::linspace(-1, 1, 4 * channels).reshape({4, channels});
  const Tensor velocities = at::ones({2, 4, channels});
  // On a straight path, x = latent + t v, the policy expects the final image at every step.
  const Tensor states = at::stack({latent + 0.75 * velocities[0], latent + 0.5 * velocities[1]});
  for (size_t i : {0, 2})
    step.rollout.stages[i].image = SampledImage{2, 2, latent, states, at::zeros_like(states), velocities};
  record(0, step);
  const std::vector<nlohmann::json> rows = this->rows("step_000000");
  EXPECT_FALSE(rows[2].contains("strip"));  // of the second prompt
  const Image strip = read_image(records_ / rows[0].at("strip").get<std::string>());
  const Image last = decode_latents(made_.model, {latent, latent}, 2, 2).front();
  EXPECT_EQ(strip.pixels, image_grid({last, last, last}, 3, 2, 1).pixels);
}

TEST_F(RolloutRecordTest, PicturesThatStagesStartFromAreKept) {
  RewardedRollout step = two_stages_each();
  step.prompts[1].sources = {picture(8, 8, 5), picture(8, 8, 6)};
  record(0, step);
  const std::vector<nlohmann::json> rows = this->rows("step_000000");
  EXPECT_FALSE(rows[0].contains("sources"));
  for (size_t i : {2, 3}) {
    ASSERT_EQ(rows[i].at("sources").size(), 2u);
    EXPECT_EQ(read_image(records_ / rows[i].at("sources").at(1).get<std::string>()).pixels, picture(8, 8, 6).pixels);
  }
}

TEST_F(RolloutRecordTest, WritingAStepAgainReplacesIt) {
  RewardedRollout step = two_stages_each();
  record(3, step);
  const std::string before = read_file(records_ / "step_000003.jsonl");
  record(3, step);
  EXPECT_EQ(read_file(records_ / "step_000003.jsonl"), before);
  step.rewards[0] = 7;
  record(3, step);
  EXPECT_EQ(rows("step_000003")[0].at("reward"), 7);
}

}  // namespace
}  // namespace diptych
