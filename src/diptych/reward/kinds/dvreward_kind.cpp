// DVReward, and the one question about the whole prompt, which is put by the same keys.

#include "diptych/base/ascii.h"
#include "diptych/base/error.h"
#include "diptych/io/files.h"
#include "diptych/reward/kinds/reward_config.h"
#include "diptych/reward/protocols/dvreward.h"

namespace diptych {

namespace {

struct DvRewardKeys {
  std::string aggregate = "geometric";
  std::string empty_list = "one";
  std::string system_prompt_file;
  int64_t top_logprobs = 5;
  std::string image_format = "jpeg";
  int64_t jpeg_quality = 95;
};

void visit(ConfigFields& fields, DvRewardKeys& dvreward) {
  fields.choice("aggregate", dvreward.aggregate, {"geometric", "arithmetic", "pooled", "binary"},
                "how the answers become one value", Change::recorded);
  fields.choice("empty_list", dvreward.empty_list, {"one", "error"},
                "a prompt without semantic or without quality questions: that mean is 1, or the run stops",
                Change::recorded);
  fields("system_prompt_file", dvreward.system_prompt_file,
         "file with the system prompt of yes/no questions; empty: AlphaGRPO's; none: no system prompt", Change::files);
  fields.range("top_logprobs", dvreward.top_logprobs, 1, 20, "alternatives of the first token that the judge lists",
               Change::recorded);
  fields.choice("image_format", dvreward.image_format, {"jpeg", "png"}, "how yes/no questions send the image",
                Change::recorded);
  fields.range("jpeg_quality", dvreward.jpeg_quality, 1, 100, "of these images", Change::recorded);
}

struct HolisticKeys {
  std::string question = "Does the picture show exactly: {prompt}?";
};

void visit(ConfigFields& fields, HolisticKeys& holistic) {
  fields("holistic_question", holistic.question, "judge_holistic: its one question", Change::recorded);
}

std::string system_prompt(const std::string& file) {
  if (file.empty()) return std::string(kDvRewardSystemPrompt);
  return file == "none" ? "" : std::string(trimmed(read_file(file)));
}

YesNoOptions yes_no_options(const RewardConfig& config) {
  const auto& keys = config.keys<DvRewardKeys>("dvreward");
  const bool png = config.lossless_images || keys.image_format == "png";
  return {.system_prompt = system_prompt(keys.system_prompt_file),
          .encoding = png ? ImageEncoding::png : ImageEncoding::jpeg,
          .jpeg_quality = static_cast<int>(keys.jpeg_quality),
          .top_logprobs = static_cast<int>(keys.top_logprobs)};
}

DvRewardOptions dvreward_options(const RewardConfig& config) {
  const auto& keys = config.keys<DvRewardKeys>("dvreward");
  return {.question = yes_no_options(config),
          .aggregate = dvreward_aggregate_kind(keys.aggregate),
          .empty_list = keys.empty_list == "error" ? EmptyList::error : EmptyList::one};
}

std::string holistic_question(const RewardConfig& config) {
  const std::string& question = config.keys<HolisticKeys>("judge_holistic").question;
  if (question.find("{prompt}") == question.npos)
    throw Error(ExitCode::config, {"reward.holistic_question", "a question with {prompt}", "'" + question + "'", ""});
  return question;
}

RewardKind of_all_questions() {
  return {.name = "dvreward",
          .order = 100,
          .asks_judge = true,
          .keys = ConfigSection(DvRewardKeys()),
          .section = "dvreward",
          .check_keys = [](const RewardConfig& config) { dvreward_options(config); },
          .requests =
              [](const TaskPrompt& prompt) {
                return RewardRequests{.judge = static_cast<int64_t>(prompt.questions.size())};
              },
          .make = [](const RewardSetting& setting) -> RewardFunction {
            return [ask = setting.ask, options = dvreward_options(setting.config)](
                       const std::vector<ScoredPair>& pairs) { return dvreward(pairs, ask, options); };
          }};
}

RewardKind of_one_question() {
  return {.name = "judge_holistic",
          .order = 110,
          .asks_judge = true,
          .keys = ConfigSection(HolisticKeys()),
          .check_keys =
              [](const RewardConfig& config) {
                yes_no_options(config);
                holistic_question(config);
              },
          .requests = [](const TaskPrompt&) { return RewardRequests{.judge = 1}; },
          .make = [](const RewardSetting& setting) -> RewardFunction {
            return [ask = setting.ask, options = yes_no_options(setting.config),
                    question = holistic_question(setting.config)](const std::vector<ScoredPair>& pairs) {
              return holistic_reward(pairs, ask, question, options);
            };
          }};
}

}  // namespace

std::vector<RewardKind> dvreward_kind() {
  return {of_all_questions(), of_one_question()};
}

}  // namespace diptych
