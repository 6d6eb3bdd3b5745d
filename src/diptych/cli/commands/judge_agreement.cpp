#include "diptych/cli/commands/judge_agreement.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "diptych/base/ascii.h"
#include "diptych/base/error.h"
#include "diptych/base/progress.h"
#include "diptych/base/text_format.h"
#include "diptych/cli/commands/judge_options.h"
#include "diptych/cli/number_checks.h"
#include "diptych/io/files.h"
#include "diptych/reward/judge/judge.h"
#include "diptych/reward/judge_check/judge_agreement.h"

namespace diptych {

namespace {

constexpr int64_t kRequestsPerPlace = 8;  // between two progress reports

struct AgreementArguments {
  JudgeConfig judge;
  int64_t pictures = 300;
  std::string split = "test";
  uint64_t seed = 0;
  std::string system_prompt_file;
  std::string out;
};

std::string number(const std::optional<double>& value) {
  return value ? fixed(*value, 3) : "-";
}

void print_questions(const std::vector<QuestionAgreement>& questions) {
  std::printf("%-16s %8s %8s %9s %9s %8s %8s %6s %6s %8s\n", "questions", "asked", "answered", "truth yes", "judge yes",
              "accuracy", "balanced", "AUC", "ECE", "coverage");
  for (const QuestionAgreement& row : questions) {
    const auto share = [&](double value) { return row.answered > 0 ? fixed(value, 3) : std::string("-"); };
    std::printf("%-16s %8lld %8lld %9s %9s %8s %8s %6s %6s %8s\n", row.tag.c_str(), static_cast<long long>(row.asked),
                static_cast<long long>(row.answered), share(row.truly_yes).c_str(), share(row.judged_yes).c_str(),
                share(row.accuracy).c_str(), number(row.balanced_accuracy).c_str(),
                number(row.area_under_curve).c_str(), share(row.calibration_error).c_str(),
                share(row.coverage).c_str());
  }
}

void print_rewards(const std::vector<RewardAgreement>& rewards) {
  std::printf("%-16s %8s %16s %8s %18s\n", "rewards", "scored", "rank correlation", "pairs", "right above wrong");
  for (const RewardAgreement& row : rewards)
    std::printf("%-16s %8lld %16s %8lld %18s\n", row.name.c_str(), static_cast<long long>(row.scored),
                number(row.rank_correlation).c_str(), static_cast<long long>(row.pairs),
                number(row.pair_accuracy).c_str());
  for (const RewardAgreement& row : rewards)
    if (!row.first_missing.empty())
      std::printf("  %s has pictures without a value, such as: %s\n", row.name.c_str(), row.first_missing.c_str());
}

nlohmann::ordered_json json_number(const std::optional<double>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
}

nlohmann::ordered_json to_json(const AgreementArguments& arguments, const JudgeAgreement& agreement) {
  nlohmann::ordered_json questions = nlohmann::ordered_json::array();
  for (const QuestionAgreement& row : agreement.questions)
    questions.push_back({{"tag", row.tag},
                         {"asked", row.asked},
                         {"answered", row.answered},
                         {"truly_yes", row.truly_yes},
                         {"judged_yes", row.judged_yes},
                         {"accuracy", row.accuracy},
                         {"balanced_accuracy", json_number(row.balanced_accuracy)},
                         {"area_under_curve", json_number(row.area_under_curve)},
                         {"calibration_error", row.calibration_error},
                         {"coverage", row.coverage}});
  nlohmann::ordered_json rewards = nlohmann::ordered_json::array();
  for (const RewardAgreement& row : agreement.rewards)
    rewards.push_back({{"name", row.name},
                       {"scored", row.scored},
                       {"rank_correlation", json_number(row.rank_correlation)},
                       {"pairs", row.pairs},
                       {"pair_accuracy", json_number(row.pair_accuracy)}});
  return {{"model", arguments.judge.model}, {"split", arguments.split}, {"pictures", arguments.pictures},
          {"seed", arguments.seed},         {"questions", questions},   {"rewards", rewards}};
}

/** The judge in portions, so that there is progress to see. */
ChatFunction with_progress(Judge& judge, int64_t portion, Progress& progress) {
  return [&judge, &progress, portion, done = int64_t{0}](const std::vector<ChatRequest>& requests) mutable {
    std::vector<ChatResult> results;
    for (auto begin = requests.begin(); begin != requests.end();) {
      const auto end = begin + std::min<int64_t>(portion, requests.end() - begin);
      for (ChatResult& result : judge.ask({begin, end})) results.push_back(std::move(result));
      done += end - begin;
      begin = end;
      progress.update(done, "");
    }
    return results;
  };
}

int run(const AgreementArguments& arguments) {
  YesNoOptions how;
  how.encoding = ImageEncoding::png;
  if (!arguments.system_prompt_file.empty()) how.system_prompt = trimmed(read_file(arguments.system_prompt_file));
  const shapes::Split split = arguments.split == "test" ? shapes::Split::test : shapes::Split::validation;
  const AgreementSet set = draw_agreement_pictures(split, arguments.pictures, arguments.seed);

  Judge judge(arguments.judge);
  Progress progress(0, "requests");
  const int64_t places = arguments.judge.concurrency * static_cast<int64_t>(arguments.judge.endpoints.size());
  const JudgeAgreement agreement =
      judge_agreement(set, with_progress(judge, kRequestsPerPlace * places, progress), how);
  progress.finish();

  const JudgeStatistics counts = judge.statistics();
  std::printf("judge %s: %zu pictures of %zu prompts of the %s split; %lld requests, %lld failed\n\n",
              arguments.judge.model.c_str(), set.pictures.size(), set.prompts.size(), arguments.split.c_str(),
              static_cast<long long>(counts.requests), static_cast<long long>(counts.failed));
  print_questions(agreement.questions);
  std::printf("\n");
  print_rewards(agreement.rewards);
  if (!arguments.out.empty()) write_file_atomic(arguments.out, to_json(arguments, agreement).dump(2) + "\n");
  return static_cast<int>(agreement.questions.front().answered > 0 ? ExitCode::ok : ExitCode::reward);
}

}  // namespace

void add_judge_agreement(CLI::App& judge, int& status) {
  CLI::App* command =
      judge.add_subcommand("agreement", "ask a judge about pictures of the shapes world: how often is it right?");
  auto arguments = std::make_shared<AgreementArguments>();
  arguments->judge.retries = 2;
  arguments->judge.give_up_seconds = arguments->judge.timeout_seconds;
  add_judge_options(command, arguments->judge);
  command->add_option("--pictures", arguments->pictures, "to draw: of each prompt a right, a wrong and a spoilt one")
      ->type_name("N")
      ->check(CLI::Range(1, 1000000).description(""))
      ->capture_default_str();
  command->add_option("--split", arguments->split, "of the prompts: validation or test")
      ->type_name("NAME")
      ->check(CLI::IsMember({"validation", "test"}).description(""))
      ->capture_default_str();
  command->add_option("--seed", arguments->seed, "of the pictures")
      ->type_name("N")
      ->check(seed_check())
      ->capture_default_str();
  command->add_option("--system-prompt-file", arguments->system_prompt_file, "of yes/no questions [no system prompt]")
      ->type_name("FILE");
  command->add_option("--out", arguments->out, "JSON file to write")->type_name("FILE");
  command->callback([=, &status] { status = run(*arguments); });
}

}  // namespace diptych
