#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>

#include "diptych/base/error.h"
#include "diptych/base/progress.h"
#include "diptych/base/text_format.h"
#include "diptych/cli/commands/command.h"
#include "diptych/cli/printing.h"
#include "diptych/data/prompt_file.h"
#include "diptych/data/question_file.h"
#include "diptych/io/files.h"
#include "diptych/reward/decompose/decompose.h"
#include "diptych/reward/judge/judge.h"
#include "diptych/reward/shapes_task.h"
#include "diptych/shapes/prompts/prompts.h"

namespace diptych {

namespace fs = std::filesystem;

namespace {

constexpr size_t kMostDropped = 20;      // lines of the summary
constexpr int64_t kPromptsPerPlace = 4;  // so that places at the servers seldom wait for the slowest request

struct DecomposeArguments {
  std::string prompts;
  std::string out;
  std::string rules;
  std::string family;
  std::string split = "train";
  std::string templates = "assets/prompts/decompose";
  std::string cache;
  int attempts = 5;
  int64_t limit = 0;  // 0: all prompts
  JudgeConfig server;
};

const std::map<std::string, shapes::Split> kSplitOfName = {
    {"train", shapes::Split::train}, {"validation", shapes::Split::validation}, {"test", shapes::Split::test}};

std::vector<PromptRecord> split_prompts(const DecomposeArguments& arguments) {
  std::vector<std::string> families = {arguments.family};
  if (arguments.family == "all") families = shapes::all_families();
  std::vector<PromptRecord> prompts;
  for (const std::string& family : families)
    for (const shapes::Prompt& prompt : shapes::all_prompts(kSplitOfName.at(arguments.split), family))
      prompts.push_back({.text = prompt.text, .metadata = "{}", .questions = {}});
  return prompts;
}

std::vector<PromptRecord> requested_prompts(const DecomposeArguments& arguments) {
  if (arguments.prompts.empty() == arguments.family.empty())
    throw Error(ExitCode::usage, {"diptych decompose", "a file of prompts, or --rules shapes --family NAME",
                                  arguments.prompts.empty() ? "neither" : "both", ""});
  std::vector<PromptRecord> records =
      arguments.family.empty() ? read_prompts(arguments.prompts) : split_prompts(arguments);
  if (arguments.limit > 0) records.resize(std::min(records.size(), static_cast<size_t>(arguments.limit)));
  return records;
}

std::vector<Decomposition> decompose_by_rules(const std::vector<std::string>& prompts) {
  std::vector<Decomposition> results(prompts.size());
  for (size_t index = 0; index < prompts.size(); ++index) {
    if (const auto request = shapes::find_request(prompts[index])) {
      results[index].questions = shapes_questions(*request);
    } else {
      results[index].dropped = "neither a prompt nor a caption of the shapes world";
    }
  }
  return results;
}

/** What the key of the cache knows about the model. */
std::string model_identity(const JudgeConfig& server) {
  return server.extra_body.empty() ? server.model : cat(server.model, ' ', server.extra_body);
}

void print_counts(const DecomposeCache::Counts& counts) {
  print_fact("calls", cat(counts.calls));
  print_fact("cache hits", cat(counts.hits));
  print_fact("tokens", cat(counts.prompt_tokens, " in, ", counts.completion_tokens, " out"));
}

fs::path cache_file(const DecomposeArguments& arguments) {
  if (!arguments.cache.empty()) return arguments.cache;
  return fs::path(arguments.out).parent_path() / "decompose_cache.jsonl";
}

std::vector<Decomposition> decompose_by_model(const DecomposeArguments& arguments,
                                              const std::vector<std::string>& prompts) {
  const DecomposeTemplates templates = read_decompose_templates(arguments.templates);
  JudgeConfig config = arguments.server;
  config.give_up_seconds = std::max(config.give_up_seconds, config.timeout_seconds);
  config.cache = false;             // DecomposeCache keeps the replies
  config.disable_thinking = false;  // a field that some servers refuse; thoughts are cut off from replies
  Judge judge(config);
  DecomposeCache cache(cache_file(arguments), model_identity(config),
                       [&](const std::vector<ChatRequest>& requests) { return judge.ask(requests); });
  const auto places = config.concurrency * static_cast<int64_t>(config.endpoints.size());
  const DecomposeConfig how{.attempts = arguments.attempts,
                            .prompts_at_once = static_cast<int>(kPromptsPerPlace * places)};
  Progress progress(static_cast<int64_t>(prompts.size()), "prompts");
  const auto results = decompose(prompts, templates, how, cache, [&](int64_t done) {
    progress.update(done, cat(cache.counts().calls, " calls, ", cache.counts().hits, " cache hits"));
  });
  progress.finish();
  print_counts(cache.counts());
  return results;
}

void print_dropped(const std::vector<std::string>& prompts, const std::vector<Decomposition>& results) {
  size_t count = 0;
  for (const Decomposition& result : results) count += !result.dropped.empty();
  print_fact("dropped", cat(count));
  size_t printed = 0;
  for (size_t index = 0; index < prompts.size() && printed < kMostDropped; ++index) {
    if (results[index].dropped.empty()) continue;
    std::printf("  %zu '%s': %s\n", index, prompts[index].c_str(), results[index].dropped.c_str());
    ++printed;
  }
  if (count > printed) std::printf("  and %zu more\n", count - printed);
}

void print_questions(const std::vector<QuestionRecord>& records) {
  for (const std::string kind : {"semantic", "quality"}) {
    int64_t count = 0;
    std::map<std::string, int64_t> tags;
    for (const QuestionRecord& record : records)
      for (const AtomicQuestion& question : record.questions)
        if (question.kind == kind) ++count, ++tags[question.tag];
    std::vector<std::string> parts;
    for (const auto& [tag, number] : tags) parts.push_back(cat(tag, ' ', number));
    print_fact(kind, cat(fixed(static_cast<double>(count) / static_cast<double>(records.size()), 1),
                         " per prompt: ", join(parts, ", ")));
  }
}

int run(const DecomposeArguments& arguments) {
  std::vector<PromptRecord> asked = requested_prompts(arguments);
  std::vector<std::string> prompts;
  for (const PromptRecord& record : asked) prompts.push_back(record.text);
  if (const fs::path folder = fs::path(arguments.out).parent_path(); !folder.empty()) make_folder(folder);
  const bool has_model = arguments.rules.empty();
  const std::vector<Decomposition> results =
      has_model ? decompose_by_model(arguments, prompts) : decompose_by_rules(prompts);
  std::vector<QuestionRecord> records;
  for (size_t index = 0; index < prompts.size(); ++index)
    if (results[index].dropped.empty())
      records.push_back(
          {prompts[index], static_cast<int64_t>(index), results[index].questions, std::move(asked[index].metadata)});
  print_fact("prompts in", cat(prompts.size()));
  print_fact("records out", cat(records.size()));
  print_dropped(prompts, results);
  if (has_model) print_fact("replies in", cache_file(arguments).string());
  if (records.empty())
    throw Error(has_model ? ExitCode::reward : ExitCode::data,
                {arguments.out, "at least one prompt that can be decomposed", "none; nothing was written",
                 has_model ? "the same command asks for dropped prompts again" : ""});
  print_questions(records);
  write_question_records(arguments.out, records);
  std::printf("wrote %s\n", arguments.out.c_str());
  const bool is_complete =
      std::none_of(results.begin(), results.end(), [](const Decomposition& result) { return result.is_unanswered; });
  if (records.size() < prompts.size() && has_model)
    std::printf("%s; the same command asks for them again\n",
                is_complete ? "some prompts were dropped" : "some prompts got no reply");
  return is_complete ? 0 : static_cast<int>(ExitCode::reward);
}

void add_rule_options(CLI::App* command, DecomposeArguments* arguments) {
  CLI::Option* rules = command->add_option("--rules", arguments->rules, "no language model: \"shapes\" knows its world")
                           ->type_name("NAME")
                           ->check(CLI::IsMember({"shapes"}).description(""));
  CLI::Option* family = command->add_option("--family", arguments->family, "shapes prompts of this family, or \"all\"")
                            ->type_name("NAME")
                            ->needs(rules);
  command->add_option("--split", arguments->split, "of the family: train, validation or test")
      ->type_name("NAME")
      ->needs(family)
      ->check(CLI::IsMember({"train", "validation", "test"}).description(""))
      ->capture_default_str();
}

void add_server_options(CLI::App* command, DecomposeArguments* arguments) {
  JudgeConfig& server = arguments->server;
  CLI::Option* rules = command->get_option("--rules");
  command->add_option("--url", server.endpoints, "server, such as http://127.0.0.1:8000/v1; may be given several times")
      ->type_name("URL")
      ->allow_extra_args(false)
      ->excludes(rules);
  command->add_option("--model", server.model, "name of the model as the server knows it")
      ->type_name("NAME")
      ->excludes(rules);
  command->add_option("--api-key-env", server.api_key_env, "environment variable that holds the key")
      ->type_name("NAME");
  command->add_option("--concurrency", server.concurrency, "requests under way at once, per server")
      ->type_name("N")
      ->check(CLI::Range(1, 10000).description(""))
      ->capture_default_str();
  command->add_option("--timeout", server.timeout_seconds, "seconds for one try of a request")
      ->type_name("SECONDS")
      ->check(CLI::PositiveNumber.description(""))
      ->capture_default_str();
  command
      ->add_option("--drip-seconds", server.drip_seconds,
                   "for the rest of a reply after its first byte that is not blank")
      ->type_name("S")
      ->check(CLI::Range(0.001, 86400.0).description(""))
      ->capture_default_str();
  command->add_option("--extra-body", server.extra_body, "JSON object of further fields of each request")
      ->type_name("JSON");
  command->add_option("--templates", arguments->templates, "folder of what the language model is told")
      ->type_name("FOLDER")
      ->capture_default_str();
  command
      ->add_option("--cache", arguments->cache, "file that keeps replies; default: decompose_cache.jsonl beside --out")
      ->type_name("FILE");
  command->add_option("--attempts", arguments->attempts, "a prompt is dropped after so many in vain")
      ->type_name("N")
      ->check(CLI::Range(1, 1000).description(""))
      ->capture_default_str();
}

/** `diptych decompose`: atomic questions about prompts, made by a language model or by rules. */
void add_decompose(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("decompose", "turn prompts into yes/no questions for the reward DVReward");
  auto arguments = std::make_shared<DecomposeArguments>();
  command->add_option("prompts", arguments->prompts, "prompts, .txt or .jsonl")->type_name("PROMPTS");
  command->add_option("--out", arguments->out, "JSON lines file to write")->required()->type_name("FILE");
  command->add_option("--limit", arguments->limit, "only so many prompts, from the first on")
      ->type_name("N")
      ->check(CLI::Range(int64_t{1}, INT64_MAX).description(""));
  add_rule_options(command, arguments.get());
  add_server_options(command, arguments.get());
  command->callback([=, &status] { status = run(*arguments); });
}

}  // namespace

std::vector<Command> decompose_command() {
  return {{.order = 140, .add = add_decompose}};
}

}  // namespace diptych
