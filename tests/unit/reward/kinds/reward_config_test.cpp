#include "diptych/reward/kinds/reward_config.h"

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <thread>

#include "diptych/base/config/config.h"
#include "diptych/base/text_format.h"
#include "diptych/reward/shapes_task.h"
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

RewardConfig with(const RewardConfig& config, const std::vector<std::string>& overrides) {
  return override_config(Recipe{config}, overrides).reward;
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
  const std::string printed = print_config(Recipe{read});
  EXPECT_NE(printed.find("aggregate = \"pooled\""), std::string::npos) << printed;
  EXPECT_NE(printed.find("top_logprobs = 20"), std::string::npos) << printed;
  EXPECT_EQ(read.keys<CommandRewardOptions>("command").command, (std::vector<std::string>{"python3", "score.py"}));
  std::ofstream(folder.path() / "again.toml") << printed;
  EXPECT_EQ(print_config(load_config<Recipe>(folder.path() / "again.toml", {})), printed);
  expect_error([&] { load_config<Recipe>(folder.path() / "recipe.toml", {"reward.kind=beauty"}); }, ExitCode::config,
               {"reward.kind", "judge_holistic", "'beauty'"});
}

TEST(RewardConfig, KeysOfTheKindsAreKeysOfTheRecipe) {
  const auto expect_wrong = [](const std::string& override, const std::vector<std::string>& parts) {
    expect_error([&] { with(RewardConfig(), {override}); }, ExitCode::config, parts);
  };
  expect_wrong("reward.holistic_qestion=x", {"reward.holistic_qestion", "reward.holistic_question"});
  expect_wrong("reward.viescore_question=x", {"reward.viescore_questions"});
  expect_wrong("reward.dvreward.agregate=binary", {"reward.dvreward.aggregate"});
  expect_wrong("reward.dvreward.aggregate=harmonic", {"reward.dvreward.aggregate", "geometric", "harmonic"});
  expect_wrong("reward.dvreward.top_logprobs=21", {"reward.dvreward.top_logprobs", "20"});
  expect_wrong("reward.command.programs=x", {"reward.command.program"});
  expect_wrong("reward.scalar_from_logprobs=3", {"reward.scalar_from_logprobs"});

  std::map<std::string, Change> changes;
  std::vector<std::string> names;
  for (const ConfigKey& key : config_keys(Recipe())) {
    if (key.name.starts_with("reward.judge.")) continue;
    changes[key.name] = key.change;
    names.push_back(key.name);
  }
  const std::vector<std::string> expected = {
      "reward.kind",
      "reward.terms",
      "reward.format_weight",
      "reward.format_rule",
      "reward.max_missing",
      "reward.holistic_question",
      "reward.viescore_questions",
      "reward.scalar_from_logprobs",
      "reward.scalar_question",
      "reward.lossless_images",
      "reward.dvreward.aggregate",
      "reward.dvreward.empty_list",
      "reward.dvreward.system_prompt_file",
      "reward.dvreward.top_logprobs",
      "reward.dvreward.image_format",
      "reward.dvreward.jpeg_quality",
      "reward.command.program",
      "reward.command.start_seconds",
      "reward.command.batch_seconds",
      "reward.command.restarts",
  };
  EXPECT_EQ(names, expected);
  EXPECT_EQ(changes.at("reward.kind"), Change::refused);
  EXPECT_EQ(changes.at("reward.holistic_question"), Change::recorded);
  EXPECT_EQ(changes.at("reward.dvreward.system_prompt_file"), Change::files);
  EXPECT_EQ(changes.at("reward.command.program"), Change::files);
  EXPECT_EQ(changes.at("reward.command.restarts"), Change::free);
}

TEST(RewardConfig, KeysAreFoundByTheirKindAndType) {
  RewardConfig config;
  EXPECT_EQ(config.keys<CommandRewardOptions>("command").restarts, 3);
  config.keys<CommandRewardOptions>("command").restarts = 7;
  const RewardConfig copy = config;
  config.keys<CommandRewardOptions>("command").restarts = 8;
  EXPECT_EQ(copy.keys<CommandRewardOptions>("command").restarts, 7);
  EXPECT_THROW(config.keys<JudgeConfig>("command"), std::bad_any_cast);
  EXPECT_THROW(config.keys<CommandRewardOptions>("brightness"), std::out_of_range);
}

TEST(RewardConfig, KeysAreCheckedBeforeARunBegins) {
  const auto judged = [](const std::string& kind, const std::vector<std::string>& overrides) {
    return with(with(config_of(kind), {"reward.judge.endpoints=[\"http://127.0.0.1:9/v1\"]", "reward.judge.model=m"}),
                overrides);
  };
  EXPECT_NO_THROW(check_reward_keys(config_of("shapes_soft")));
  EXPECT_NO_THROW(check_reward_keys(config_of("command"))) << "it is a program's own to say what it lacks";
  for (const char* kind : {"dvreward", "judge_holistic", "viescore", "unified_reward", "scalar"}) {
    EXPECT_NO_THROW(check_reward_keys(judged(kind, {}))) << kind;
    expect_error([&] { check_reward_keys(config_of(kind)); }, ExitCode::config, {"reward.judge.endpoints"});
  }
  const auto expect_wrong = [](const RewardConfig& config, ExitCode code, const std::vector<std::string>& parts) {
    expect_error([&] { check_reward_keys(config); }, code, parts);
  };
  expect_wrong(judged("judge_holistic", {"reward.holistic_question=Good?"}), ExitCode::config,
               {"reward.holistic_question", "{prompt}"});
  expect_wrong(judged("viescore", {"reward.viescore_questions=[\"one\"]"}), ExitCode::config,
               {"reward.viescore_questions", "two"});
  for (const char* kind : {"dvreward", "judge_holistic"})
    expect_wrong(judged(kind, {"reward.dvreward.system_prompt_file=absent.txt"}), ExitCode::io, {"absent.txt"});
  RewardConfig sum = judged("shapes_soft", {"reward.viescore_questions=[\"one\"]"});
  EXPECT_NO_THROW(check_reward_keys(sum));
  sum.terms = {"viescore:0.5"};
  expect_wrong(sum, ExitCode::config, {"reward.viescore_questions"});
}

TEST(RewardConfig, EveryKindCanBeMade) {
  for (const RewardKind& kind : reward_kinds()) {
    if (kind.name == "command") continue;
    EXPECT_TRUE(make_reward(config_of(kind.name), kYes)) << kind.name;
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
  const RewardConfig binary = with(config_of("dvreward"), {"reward.dvreward.aggregate=binary"});
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
  const std::string key = "reward.dvreward.system_prompt_file=";
  config = with(config, {key + (folder.path() / "prompt.txt").string()});
  EXPECT_EQ(system_prompt(), "Answer yes or no.");
  config = with(config, {key + (folder.path() / "absent.txt").string()});
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
  const RewardConfig vague = with(config_of("judge_holistic"), {"reward.holistic_question=Is it good?"});
  expect_error([&] { make_reward(vague, kYes); }, ExitCode::config, {"reward.holistic_question", "{prompt}"});
}

TEST(RewardConfig, SeveralThreadsMayScoreAtOnce) {
  RewardConfig config = config_of("shapes_dvreward");
  config.terms = {"judge_holistic:1"};
  const ChatFunction ask = [](const std::vector<ChatRequest>& requests) {
    return std::vector<ChatResult>(requests.size(), replied("yes", {{"yes", -0.1}}));
  };
  const RewardFunction reward = make_reward(config, ask);
  const TaskPrompt prompt = shapes_task({.text = "a red circle",
                                         .family = {},
                                         .request = *shapes::parse_caption("a red circle"),
                                         .refined = {},
                                         .reasoning = {}});
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
