#include "diptych/reward/kinds/reward_config.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <thread>

#include "diptych/base/config.h"
#include "diptych/base/text_format.h"
#include "diptych/shapes/world/caption.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "unit/reward/fake_judge.h"

namespace diptych {
namespace {

struct Recipe {
  RewardConfig reward;
};
inline void visit(ConfigFields& fields, Recipe& recipe) {
  fields.section("reward", recipe.reward);
}

const FakeJudge kYes{[](const ChatRequest&) {
  return replied("yes", {{"yes", std::log(0.8)}, {"no", std::log(0.2)}});
}};

RewardConfig config_of(const std::string& kind) {
  RewardConfig config;
  config.kind = kind;
  return config;
}

TaskPrompt dog() {
  return prompt_of("a dog", {{"semantic", "Existence", "Is there a dog?", "s1"}, {"quality", "Texture", "Fur?", "q1"}});
}

TEST(RewardConfig, PrintsAndReadsBack) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "recipe.toml") << R"(
[reward]
kind = "dvreward"
terms = ["shapes_strict:0.5", "viescore:-1"]
format_weight = 1.0
format_rule = "think"
[reward.dvreward]
aggregate = "pooled"
image_format = "png"
[reward.judge]
endpoints = ["http://127.0.0.1:9/v1"]
model = "m"
[reward.command]
program = ["python3", "score.py"]
)";
  const RewardConfig read =
      load_config<Recipe>(folder.path() / "recipe.toml", {"reward.dvreward.top_logprobs=20"}).reward;
  EXPECT_EQ(read.kind, "dvreward");
  EXPECT_EQ(read.terms, (std::vector<std::string>{"shapes_strict:0.5", "viescore:-1"}));
  EXPECT_EQ(read.format_weight, 1);
  EXPECT_EQ(read.format_rule, "think");
  EXPECT_EQ(read.dvreward.aggregate, "pooled");
  EXPECT_EQ(read.dvreward.top_logprobs, 20);
  EXPECT_EQ(read.command.command, (std::vector<std::string>{"python3", "score.py"}));
  const std::string printed = print_config(Recipe{read});
  std::ofstream(folder.path() / "again.toml") << printed;
  EXPECT_EQ(print_config(load_config<Recipe>(folder.path() / "again.toml", {})), printed);
  expect_error([&] { load_config<Recipe>(folder.path() / "recipe.toml", {"reward.kind=beauty"}); }, ExitCode::config,
               {"reward.kind", "judge_holistic", "'beauty'"});
}

TEST(RewardConfig, EveryKindCanBeMade) {
  for (const std::string& kind : reward_kinds()) {
    if (kind == "command") continue;
    EXPECT_TRUE(make_reward(config_of(kind), kYes)) << kind;
  }
  for (const char* kind : {"dvreward", "judge_holistic", "viescore", "unified_reward", "scalar"})
    EXPECT_TRUE(needs_judge(config_of(kind))) << kind;
  EXPECT_FALSE(needs_judge(config_of("shapes_soft")));
  EXPECT_TRUE(make_reward(config_of("shapes_soft")));
  expect_error([] { make_reward(config_of("dvreward")); }, ExitCode::config, {"judge.endpoints"});
}

TEST(RewardConfig, JudgedKindsAskTheJudge) {
  const TaskPrompt prompt = dog();
  const Candidate candidate = candidate_of({filled_image(1)}, {"<think> a </think>"});
  const auto value = [&](const RewardConfig& config) {
    return make_reward(config, kYes)({{&prompt, &candidate}})[0].value.value();
  };
  EXPECT_NEAR(value(config_of("dvreward")), 0.8, 1e-12);
  EXPECT_NEAR(value(config_of("judge_holistic")), 0.8, 1e-12);
  RewardConfig binary = config_of("dvreward");
  binary.dvreward.aggregate = "binary";
  EXPECT_EQ(value(binary), 1);
}

TEST(RewardConfig, AlphaGrposRewardIsDvRewardPlusFormat) {
  RewardConfig config = config_of("dvreward");
  config.format_weight = 1;
  config.format_rule = "think";
  config.terms = {"brightness:0.5"};
  const TaskPrompt prompt = dog();
  const Candidate good = candidate_of({filled_image(51)}, {"<think> a </think>"});
  const Candidate bad = candidate_of({filled_image(51)}, {"a"});
  const std::vector<Score> scores = make_reward(config, kYes)({{&prompt, &good}, {&prompt, &bad}});
  EXPECT_NEAR(scores[0].value.value(), 0.8 + 1 + 0.1, 1e-12);
  EXPECT_NEAR(scores[1].value.value(), 0.8 + 0 + 0.1, 1e-12);
  ASSERT_EQ(scores[0].terms.size(), 3u);
  EXPECT_EQ(scores[0].terms[0].name, "dvreward");
  EXPECT_EQ(scores[0].terms[1].name, "format_think");
  EXPECT_EQ(scores[0].terms[2].name, "brightness");
}

TEST(RewardConfig, TheSystemPromptIsBuiltInOrAFile) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "prompt.txt") << "Answer yes or no.\n";
  RewardConfig config = config_of("judge_holistic");
  const TaskPrompt prompt = dog();
  const Candidate candidate = candidate_of({filled_image(1)});
  const auto system_prompt = [&] {
    const FakeJudge judge = {kYes.answer};
    make_reward(config, judge)({{&prompt, &candidate}});
    return judge.batches->front()[0].messages[0].parts[0].text;
  };
  EXPECT_TRUE(system_prompt().starts_with("You are an expert visual auditor."));
  config.dvreward.system_prompt_file = (folder.path() / "prompt.txt").string();
  EXPECT_EQ(system_prompt(), "Answer yes or no.");
  config.dvreward.system_prompt_file = (folder.path() / "absent.txt").string();
  expect_error(system_prompt, ExitCode::io, {"absent.txt"});
}

TEST(RewardConfig, WrongTermsSayWhatIsWrong) {
  const auto expect_wrong = [](std::vector<std::string> terms, const std::vector<std::string>& parts) {
    RewardConfig config = config_of("shapes_soft");
    config.format_weight = 1;
    config.terms = std::move(terms);
    expect_error([&] { make_reward(config, kYes); }, ExitCode::config, parts);
  };
  expect_wrong({"shapes_strict"}, {"reward.terms", "kind:weight", "'shapes_strict'"});
  expect_wrong({"shapes_strict:"}, {"reward.terms", "kind:weight"});
  expect_wrong({"shapes_strict:1x"}, {"reward.terms", "kind:weight"});
  for (const char* weight : {"inf", "nan", "-inf", "1e7", "-1000001", "1e999"})
    expect_wrong({cat("shapes_strict:", weight)}, {"reward.terms", "kind:weight", weight});
  expect_wrong({"beauty:1"}, {"reward.terms", "viescore", "'beauty'"});
  expect_wrong({"shapes_soft:1"}, {"reward.terms", "'shapes_soft' twice"});
  expect_wrong({"format_think_answer:1"}, {"'format_think_answer' twice", "format_weight"});
  expect_error([] { make_reward(config_of("beauty"), kYes); }, ExitCode::config, {"reward.kind", "'beauty'"});
  expect_error([] { make_reward(config_of("command"), kYes); }, ExitCode::config, {"reward.command.program"});
  RewardConfig vague = config_of("judge_holistic");
  vague.holistic_question = "Is it good?";
  expect_error([&] { make_reward(vague, kYes); }, ExitCode::config, {"reward.holistic_question", "{prompt}"});
}

TEST(RewardConfig, SeveralThreadsMayScoreAtOnce) {
  RewardConfig config = config_of("shapes_dvreward");
  config.terms = {"judge_holistic:1"};
  const ChatFunction ask = [](const std::vector<ChatRequest>& requests) {
    return std::vector<ChatResult>(requests.size(), replied("yes", {{"yes", -0.1}}));
  };
  const RewardFunction reward = make_reward(config, ask);
  TaskPrompt prompt = prompt_of("a red circle");
  prompt.request = *shapes::parse_caption("a red circle");
  const Candidate candidate = candidate_of({filled_image(245, 32)});
  const double expected = reward({{&prompt, &candidate}})[0].value.value();
  std::vector<std::thread> threads;
  std::vector<int> equal(4, 0);
  for (size_t t = 0; t < equal.size(); ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 25; ++i) equal[t] += *reward({{&prompt, &candidate}})[0].value == expected ? 1 : 0;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(equal, std::vector<int>(4, 25));
}

}  // namespace
}  // namespace diptych
