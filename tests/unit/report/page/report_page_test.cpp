#include "diptych/report/page/report_page.h"

#include <gtest/gtest.h>

#include "diptych/report/page/comparison.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "unit/report/run_folder_writer.h"

namespace diptych {
namespace {

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t place = text.find(part); place != text.npos; place = text.find(part, place + part.size())) ++found;
  return found;
}

void expect_in_order(const std::string& text, const std::vector<std::string>& parts) {
  size_t place = 0;
  for (const std::string& part : parts) {
    const size_t found = text.find(part, place);
    EXPECT_NE(found, text.npos) << part;
    if (found != text.npos) place = found;
  }
}

/** Fails unless every element that is opened is closed in order, and nothing comes from elsewhere. */
void expect_sound(const std::string& html) {
  std::vector<std::string> open;
  for (size_t place = html.find('<'); place != html.npos; place = html.find('<', place + 1)) {
    const size_t end = html.find_first_of(" >/", place + 2);
    std::string name = html.substr(place + 1, end - place - 1);
    const bool is_closed = html[html.find('>', place) - 1] == '/';
    if (name == "!DOCTYPE" || name == "meta" || name == "img" || is_closed) continue;
    if (name.front() != '/') {
      open.push_back(name);
      continue;
    }
    ASSERT_FALSE(open.empty()) << name;
    ASSERT_EQ("/" + open.back(), name) << html.substr(place > 200 ? place - 200 : 0, 300);
    open.pop_back();
  }
  EXPECT_TRUE(open.empty());
  EXPECT_EQ(count(html, "src=\""), count(html, "src=\"data:image/"));
  for (const char* part : {"http://", "https://", "<script", "<link", "@import", "url("})
    EXPECT_EQ(html.find(part), html.npos) << part;
}

std::string page_of(const std::vector<std::filesystem::path>& folders) {
  std::vector<RunData> runs;
  for (const auto& folder : folders) runs.push_back(read_run(folder, 4));
  return report_page(std::move(runs));
}

TEST(ReportPageTest, AWholeRunHasEverySection) {
  const TemporaryFolder folder;
  write_run(folder.path());
  const std::string page = page_of({folder.path()});
  expect_in_order(page, {"<h1>",
                         "Reinforcement training of base",
                         "5 of 5 steps",
                         "0.5",
                         "id=\"health\"",
                         "id=\"curves\"",
                         "reward/mean",
                         "<svg",
                         "Other metrics",
                         "own/metric",
                         "id=\"pictures\"",
                         "Became right (2)",
                         "<del>before</del> <ins>after</ins>",
                         "id=\"chains\"",
                         "Step 5",
                         "a red ring",
                         "scores from 0.25 to 0.75",
                         "Best",
                         "thought 1",
                         "Is it red?",
                         "Worst",
                         "thought 0",
                         "The other 1",
                         "thought 2",
                         "id=\"recipe\"",
                         "und_learning_rate = 6e-05"});
  EXPECT_EQ(page.find("class=\"notes\""), page.rfind("class=\"notes\""));
  EXPECT_EQ(page.find("<ul class=\"notes\""), page.npos);
  expect_sound(page);
}

TEST(ReportPageTest, ItOpensOnPhonesInTheDarkAndOnPaper) {
  const TemporaryFolder folder;
  write_run(folder.path());
  const std::string page = page_of({folder.path()});
  for (const char* part : {"name=\"viewport\"", "prefers-color-scheme: dark", "@media print", "max-width: 40rem",
                           "charset=\"utf-8\"", "default-src 'none'"})
    EXPECT_NE(page.find(part), page.npos) << part;
}

TEST(ReportPageTest, HostileTextsStayText) {
  const TemporaryFolder folder;
  write_run(folder.path());
  const std::string attack = R"(\"><script>alert('x')</script>)";
  std::string lines = stage_line(0, 0, 0, 0.5, "step_000005/a.png");
  lines.replace(lines.find("a red ring"), 10, attack).replace(lines.find("thought 0"), 9, attack);
  lines.replace(lines.find("Is it red?"), 10, attack);
  write_file_atomic(folder.path() / "rollouts" / "step_000005.jsonl", lines);
  for (const char* name : {"eval/step_000000.jsonl", "eval/step_000005.jsonl"}) {
    std::string evaluation = read_file(folder.path() / name);
    evaluation.replace(evaluation.find("prompt 0"), 8, attack);
    evaluation.replace(evaluation.find("words"), 5, attack);
    write_file_atomic(folder.path() / name, evaluation);
  }
  write_file_atomic(folder.path() / "metrics.jsonl",
                    "{\"step\":1,\"" + attack + "\":1}\n{\"step\":2,\"" + attack + "\":2}\n");
  write_file_atomic(folder.path() / "recipe.toml", "kind = \"rl\"\nmodel = '<script>alert(1)</script>'\n");
  const std::string page = page_of({folder.path()});
  EXPECT_GT(count(page, "&lt;script&gt;"), 8u);
  expect_sound(page);
}

TEST(ReportPageTest, MissingAndDamagedPartsAreSaid) {
  const TemporaryFolder folder;
  write_run(folder.path());
  std::filesystem::remove(folder.path() / "rollouts" / "step_000005" / "a.png");
  write_file_atomic(folder.path() / "eval" / "step_000005.png", "no picture");
  write_png(folder.path() / "eval" / "step_000000.png", plain_image(50, 0));
  const std::string page = page_of({folder.path()});
  expect_in_order(
      page, {"<ul class=\"notes\">", "eval/step_000000.png has another form", "eval/step_000005.png cannot be read",
             "rollouts/step_000005/a.png is missing or damaged", "no picture"});
  expect_sound(page);
}

TEST(ReportPageTest, EvaluationsOfOtherPromptsAreNotCompared) {
  const TemporaryFolder folder;
  write_run(folder.path());
  write_file_atomic(folder.path() / "eval" / "step_000005.jsonl", "{\"prompt\":\"another\",\"correct\":true}\n");
  const std::string page = page_of({folder.path()});
  EXPECT_NE(page.find("have different prompts"), page.npos);
  EXPECT_EQ(page.find("Became right"), page.npos);
}

std::string reward_rows(int steps, double from, double to, const std::string& more = "") {
  std::string lines;
  for (int step = 1; step <= steps; ++step)
    lines += "{\"step\":" + std::to_string(step) +
             ",\"reward/mean\":" + std::to_string(from + (to - from) * step / steps + 0.01 * (step % 3)) + more + "}\n";
  return lines;
}

TEST(ReportPageTest, TheRewardHasACourseOnlyWhereThereIsOne) {
  const TemporaryFolder folder;
  write_run(folder.path());
  const auto page_with = [&](const std::string& rows) {
    write_file_atomic(folder.path() / "metrics.jsonl", rows);
    return page_of({folder.path()});
  };
  const std::string course = "Training reward, first → last tenth of the steps";
  EXPECT_NE(page_with(reward_rows(40, 0.2, 0.8)).find(course), std::string::npos);
  for (const auto& [rows, sentence] :
       {std::pair(reward_rows(3, 0.5, 0.8), "Training reward, mean of 3 steps: 0.71"),
        std::pair(reward_rows(19, 0.2, 0.8), "So few tell no change."),
        std::pair(reward_rows(40, 0.5, 0.5), "without a change beyond the noise"),
        std::pair(reward_rows(40, 0.2, 0.8, ",\"update/applied\":0"), "nothing was learnt")}) {
    const std::string page = page_with(rows);
    EXPECT_EQ(page.find(course), page.npos) << sentence;
    EXPECT_NE(page.find(sentence), page.npos) << sentence;
  }
  const std::string both = page_of({folder.path(), folder.path()});
  EXPECT_NE(both.find("of few steps the mean of all"), both.npos);
}

TEST(ReportPageTest, RepliesAreFoldedAndNameWhoScored) {
  const TemporaryFolder folder;
  write_run(folder.path());
  std::string line = stage_line(0, 0, 0, 0.5, "step_000005/a.png");
  line.replace(line.rfind("}\n"), 2, ",\"reply\":\"raw words\"}\n");
  write_file_atomic(folder.path() / "rollouts" / "step_000005.jsonl", line);
  for (const auto& [reward, name] :
       {std::pair("kind = \"shapes_soft\"", "Verifier"), std::pair("kind = \"viescore\"", "Judge"),
        std::pair("kind = \"command\"", "Program"),
        std::pair("kind = \"command\"\nterms = [\"shapes_soft:1\"]", "Rewards")}) {
    write_file_atomic(folder.path() / "recipe.toml",
                      std::string("kind = \"rl\"\nmodel = \"base\"\n[reward]\n") + reward);
    const std::string page = page_of({folder.path()});
    expect_in_order(page, {std::string("<summary>") + name + ", raw reply</summary>", "raw words"});
    expect_sound(page);
  }
}

TEST(ReportPageTest, ARunWithoutAStepHasAPage) {
  const TemporaryFolder folder;
  write_file_atomic(folder.path() / "recipe.toml", "kind = \"sft\"\nmodel = \"m\"\n[train]\nsteps = 9\n");
  const std::string page = page_of({folder.path()});
  expect_in_order(page,
                  {"Supervised training of m. 0 of 9 steps", "There are no metrics yet.", "metrics.jsonl is missing"});
  expect_sound(page);
}

TEST(ReportPageTest, SeveralRunsShareTables) {
  const TemporaryFolder folder;
  for (const char* name : {"a/run", "b/run"}) write_run(folder.path() / name);
  std::string recipe = read_file(folder.path() / "b/run/recipe.toml");
  recipe.replace(recipe.find("steps = 5"), 9, "steps = 7");
  write_file_atomic(folder.path() / "b/run/recipe.toml", recipe);
  write_evaluation(folder.path() / "b/run", 5, 2, "other words");
  const std::string page = page_of({folder.path() / "a/run", folder.path() / "b/run"});
  const std::string a = (folder.path() / "a/run").string();  // equal folder names are told apart
  expect_in_order(page, {a, "5 of 5", "5 of 7", "Recipe keys that differ (1)", "train.steps", "class=\"line c0\"",
                         "class=\"line c1\"", "The runs differ (1)", "prompt 2", "All wrong (1)", "All right (2)"});
  expect_sound(page);
}

TEST(ReportPageTest, RunsOfDifferentKindsShareAPage) {
  const TemporaryFolder folder;
  write_run(folder.path() / "rl");
  make_folder(folder.path() / "sft");
  write_file_atomic(folder.path() / "sft" / "recipe.toml", "kind = \"sft\"\n[train]\nsteps = 2\nbatch = 4\n");
  write_file_atomic(folder.path() / "sft" / "metrics.jsonl",
                    "{\"step\":1,\"loss/flow\":2}\n{\"step\":2,\"loss/flow\":1}\n");
  const std::string page = page_of({folder.path() / "rl", folder.path() / "sft"});
  expect_in_order(page, {"different kinds (rl, sft)", "Recipe keys that differ (2)", "loss/flow"});
  expect_sound(page);
}

TEST(DifferingKeysTest, LeaveOutTheFolderAndKeysOfOtherKinds) {
  RunData a, b;
  a.recipe = {{"kind", "rl"}, {"run.dir", "x"}, {"run.seed", "0"}, {"own", "1"}};
  b.recipe = {{"kind", "rl"}, {"run.dir", "y"}, {"run.seed", "1"}};
  EXPECT_EQ(differing_keys({a, b}), (std::vector<std::pair<std::string, std::vector<std::string>>>{
                                        {"own", {"1", ""}}, {"run.seed", {"0", "1"}}}));
  b.recipe["kind"] = "sft";
  EXPECT_EQ(differing_keys({a, b}).size(), 2u);  // kind and run.seed
}

TEST(WriteReportTest, WritesThePageAndMakesItsFolder) {
  const TemporaryFolder folder;
  write_run(folder.path() / "run");
  write_report({folder.path() / "run"}, folder.path() / "new" / "page.html");
  EXPECT_EQ(read_file(folder.path() / "new" / "page.html").substr(0, 15), "<!DOCTYPE html>");
  expect_error(
      [&] {
        write_report({folder.path() / "run", folder.path()}, folder.path() / "no.html");
      },
      ExitCode::data, {"a run folder"});
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "no.html"));
}

}  // namespace
}  // namespace diptych
