#include <cstdio>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/cli/command_group.h"
#include "diptych/cli/commands/command.h"
#include "diptych/cli/commands/judge_agreement.h"
#include "diptych/cli/commands/judge_options.h"
#include "diptych/reward/judge_check/judge_check.h"

namespace diptych {

namespace {

struct CheckArguments {
  JudgeCheckOptions options;
  std::vector<double> prices;
};

const char* outcome_text(ProbeOutcome outcome) {
  switch (outcome) {
    case ProbeOutcome::passed:
      return "pass";
    case ProbeOutcome::warned:
      return "warn";
    default:
      return "FAIL";
  }
}

void print_check(const char* name, const std::string& value) {
  std::printf("  %-11s %s\n", name, value.c_str());
}

void print_endpoint(const EndpointCheck& endpoint) {
  std::printf("%s\n", endpoint.url.c_str());
  for (const JudgeProbe& probe : endpoint.probes)
    std::printf("  %-11s %s  %s\n", probe.name.c_str(), outcome_text(probe.outcome), probe.detail.c_str());
}

std::string failures_text(const JudgeStatistics& counts) {
  std::vector<std::string> kinds;
  for (const auto& [kind, count] : counts.failures) kinds.push_back(cat(count, " ", kind));
  return kinds.empty() ? "" : cat("; failed tries: ", join(kinds, ", "));
}

std::string cost_text(const JudgeLoad& load, double rate) {
  if (!load.cost_per_thousand) return "unknown: the server reports no token usage";
  return cat(fixed(*load.cost_per_thousand, 4), " per 1000 requests, ", fixed(*load.cost_per_thousand * rate * 3.6, 2),
             " an hour at this rate");
}

void print_load(const JudgeLoad& load, const CheckArguments& arguments) {
  const JudgeStatistics& counts = load.statistics;
  const double rate = static_cast<double>(counts.answered) / load.seconds;
  const int64_t places = arguments.options.judge.concurrency * static_cast<int64_t>(counts.endpoints.size());
  std::printf("load: %lld requests, at most %lld at once\n", static_cast<long long>(load.requests),
              static_cast<long long>(places));
  print_check("answered", cat(counts.answered, ", ", counts.retries, " retries", failures_text(counts)));
  print_check("latency", cat("p50 ", fixed(counts.latency_p50, 3), " s, p95 ", fixed(counts.latency_p95, 3), " s"));
  print_check("throughput", cat(fixed(rate, 1), " requests a second"));
  print_check("places", cat(fixed(100 * counts.busy_share, 1), " % in use while requests waited"));
  if (!arguments.prices.empty()) print_check("cost", cost_text(load, rate));
}

int check(CheckArguments arguments) {
  if (!arguments.prices.empty()) arguments.options.prices = JudgePrices{arguments.prices[0], arguments.prices[1]};
  const JudgeCheckReport report = check_judge(arguments.options);
  for (const EndpointCheck& endpoint : report.endpoints) print_endpoint(endpoint);
  if (report.load) print_load(*report.load, arguments);
  if (report.reasons.empty()) {
    std::printf("training on this judge is safe\n");
    return 0;
  }
  std::printf("training on this judge is NOT safe:\n");
  for (const std::string& reason : report.reasons) std::printf("  %s\n", reason.c_str());
  return static_cast<int>(ExitCode::reward);
}

/** `diptych judge check`: asks judge servers a few questions and says whether training on them is safe; the status is
 *  ExitCode::reward if it is not. `diptych judge agreement`: judge_agreement.h. */
void add_judge(CLI::App& app, int& status) {
  CLI::App* judge = app.add_subcommand("judge", "look at the server that scores samples");
  require_command(*judge, status);
  CLI::App* command = judge->add_subcommand("check", "ask judge servers test questions: is training on them safe?");
  auto arguments = std::make_shared<CheckArguments>();
  JudgeConfig& config = arguments->options.judge;
  config.retries = 2;
  config.give_up_seconds = config.timeout_seconds;
  add_judge_options(command, config);
  command->add_option("--requests", arguments->options.requests, "requests of the load test")
      ->type_name("N")
      ->check(CLI::Range(1, 2000).description(""))
      ->capture_default_str();
  command->add_option("--prices", arguments->prices, "price of a million tokens in and out, such as 0.2,0.6")
      ->type_name("IN,OUT")
      ->delimiter(',')
      ->expected(2);
  command->callback([=, &status] { status = check(*arguments); });
  add_judge_agreement(*judge, status);
}

}  // namespace

std::vector<Command> judge_command() {
  return {{.order = 130, .add = add_judge}};
}

}  // namespace diptych
