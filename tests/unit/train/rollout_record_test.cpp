#include "diptych/tensor/torch.h"

#include "diptych/train/rollout_record.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "diptych/io/files.h"
#include "support/pictures.h"
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
      Trajectory stage;
      stage.prompt = p;
      stage.sample = 1;
      stage.round = round;
      stage.end = round == 0 ? StageEnd::painted : StageEnd::stopped;
      stage.candidate = {
          .prompt = step.prompts.back().text, .texts = {"<think> \xff </think>"}, .images = {}};  // no UTF-8
      if (round == 0) stage.candidate.images = {picture(8, 8, static_cast<int>(p))};
      step.rollout.chains.push_back(std::move(stage));
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

std::vector<nlohmann::json> lines_of(const std::filesystem::path& file) {
  std::istringstream lines(read_file(file));
  std::vector<nlohmann::json> rows;
  for (std::string line; std::getline(lines, line);) rows.push_back(nlohmann::json::parse(line));
  return rows;
}

TEST(RolloutRecordTest, WritesTheStagesOfTheFirstPrompts) {
  const TemporaryFolder folder;
  const RewardedRollout step = two_stages_each();
  record_rollout(folder.path(), 42, step);
  const std::vector<nlohmann::json> rows = lines_of(folder.path() / "rollouts" / "step_000042.jsonl");
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
  EXPECT_EQ(read_image(folder.path() / "rollouts" / painted.at("image").get<std::string>()).pixels,
            picture(8, 8, 1).pixels);
  EXPECT_EQ(stopped.at("end"), "stopped");
  EXPECT_EQ(stopped.at("score_before"), 0.25);
  for (const char* key : {"score", "image", "checks", "reply"}) EXPECT_FALSE(stopped.contains(key)) << key;
  EXPECT_EQ(rows[0].at("questions").at(0).at("text"), "Two?");
  EXPECT_FALSE(rows[2].contains("questions"));
}

TEST(RolloutRecordTest, WritingAStepAgainReplacesIt) {
  const TemporaryFolder folder;
  RewardedRollout step = two_stages_each();
  record_rollout(folder.path(), 3, step);
  const std::string before = read_file(folder.path() / "rollouts" / "step_000003.jsonl");
  record_rollout(folder.path(), 3, step);
  EXPECT_EQ(read_file(folder.path() / "rollouts" / "step_000003.jsonl"), before);
  step.rewards[0] = 7;
  record_rollout(folder.path(), 3, step);
  EXPECT_EQ(lines_of(folder.path() / "rollouts" / "step_000003.jsonl")[0].at("reward"), 7);
}

}  // namespace
}  // namespace diptych
