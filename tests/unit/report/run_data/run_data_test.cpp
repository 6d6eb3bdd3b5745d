#include "diptych/report/run_data/run_data.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "diptych/report/run_data/run_facts.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "unit/report/run_folder_writer.h"

namespace diptych {
namespace {

/** Whether one note contains all the words. */
bool has_note(const Notes& notes, const std::vector<std::string>& words) {
  return std::any_of(notes.begin(), notes.end(), [&](const std::string& note) {
    return std::all_of(words.begin(), words.end(),
                       [&](const std::string& word) { return note.find(word) != note.npos; });
  });
}

TEST(RunDataTest, AWholeRunIsReadWithoutNotes) {
  const TemporaryFolder folder;
  write_run(folder.path());
  const RunData run = read_run(folder.path(), 4);
  EXPECT_TRUE(run.notes.empty()) << run.notes.front();
  EXPECT_EQ(run_kind(run), "rl");
  EXPECT_EQ(run.name, folder.path().filename().string());
  EXPECT_EQ(run.last_step, 5);
  EXPECT_EQ(run.recipe.at("train.und_learning_rate"), "6e-05");
  EXPECT_EQ(recipe_number(run.recipe, "train.steps", 0), 5);
  EXPECT_EQ(series(run.curves, "reward/mean").values.size(), 6u);
  ASSERT_TRUE(run.before && run.after);
  EXPECT_EQ(run.after->step, 5);
  EXPECT_TRUE(run.after->lines[2].correct);
  ASSERT_EQ(run.rollouts.size(), 1u);
  const StageData& stage = run.rollouts[0].stages[1];
  EXPECT_EQ(stage.reward, 0.75);
  EXPECT_EQ(stage.checks.at(0).question, "Is it red?");
  EXPECT_EQ(stage.image, folder.path() / "rollouts" / "step_000005" / "a.png");
}

TEST(RunDataTest, ChangesOfTheRecipeAreFacts) {
  const TemporaryFolder folder;
  write_run(folder.path());
  write_file_atomic(
      folder.path() / "changes.jsonl",
      "{\"step\":3,\"key\":\"train.gate_text\",\"before\":\"0.05\",\"after\":\"0.1\"}\n{\"step\":\"x\"}\n");
  const RunData run = read_run(folder.path(), 4);
  ASSERT_EQ(run.changes.size(), 1u);
  EXPECT_TRUE(has_note(run.notes, {"changes.jsonl", "no change"}));
  const auto facts = run_facts(run);
  const auto found =
      std::find(facts.begin(), facts.end(),
                std::pair<std::string, std::string>{"Changed on the way", "from step 3 train.gate_text 0.05 → 0.1"});
  EXPECT_NE(found, facts.end());
}

TEST(RunDataTest, AFolderThatIsNoRunIsAnError) {
  const TemporaryFolder folder;
  expect_error([&] { read_run(folder.path(), 4); }, ExitCode::data, {"a run folder", "without recipe.toml"});
  expect_error([&] { read_run(folder.path() / "none", 4); }, ExitCode::data, {"no folder of that name"});
}

TEST(RunDataTest, AnEmptyRunSaysWhatIsMissing) {
  const TemporaryFolder folder;
  write_file_atomic(folder.path() / "recipe.toml", "kind = \"rl\"\n[eval]\nprompts = 8\n[train]\nrecord_every = 5\n");
  const RunData run = read_run(folder.path(), 4);
  EXPECT_TRUE(run.curves.empty());
  EXPECT_TRUE(has_note(run.notes, {"metrics.jsonl", "missing"}));
  EXPECT_TRUE(has_note(run.notes, {"eval/", "no evaluation yet"}));
  EXPECT_TRUE(has_note(run.notes, {"rollouts/", "no records yet"}));
}

TEST(RunDataTest, DamagedLinesAreNamedAndAnUnfinishedOneIsNot) {
  const TemporaryFolder folder;
  write_run(folder.path());
  write_file_atomic(folder.path() / "metrics.jsonl",
                    "{\"step\":1,\"reward/mean\":0.5}\n{\"step\":2,\"rew\n[3]\n\n{\"step\":4,\"reward/mean\":0.7}\n"
                    "{\"step\":5,\"rewa");
  const RunData run = read_run(folder.path(), 4);
  EXPECT_EQ(series(run.curves, "reward/mean").steps, (std::vector<int64_t>{1, 4}));
  EXPECT_TRUE(has_note(run.notes, {"metrics.jsonl:2 "}));
  EXPECT_TRUE(has_note(run.notes, {"metrics.jsonl:3 "}));
  EXPECT_EQ(run.notes.size(), 2u);
}

TEST(RunDataTest, ManyDamagedLinesAreCounted) {
  const TemporaryFolder folder;
  std::string lines;
  for (int i = 0; i < 10; ++i) lines += "nonsense\n";
  write_file_atomic(folder.path() / "metrics.jsonl", lines);
  const RunData run = read_run(folder.path(), 4);
  EXPECT_TRUE(has_note(run.notes, {"metrics.jsonl", "7 more"}));
}

TEST(RunDataTest, OddMetricsAreLeftOut) {
  const TemporaryFolder folder;
  write_file_atomic(folder.path() / "metrics.jsonl",
                    "{\"step\":1,\"a\":null,\"b\":\"text\",\"c\":1}\n{\"a\":1}\n{\"step\":\"2\",\"c\":2}\n"
                    "{\"step\":1,\"c\":5}\n{\"step\":3,\"a\":2,\"c\":3}\n");
  const RunData run = read_run(folder.path(), 4);
  EXPECT_EQ(series(run.curves, "a").not_finite, (std::vector<int64_t>{1}));
  EXPECT_EQ(series(run.curves, "a").values, (std::vector<double>{2}));
  EXPECT_TRUE(series(run.curves, "b").values.empty());
  EXPECT_EQ(series(run.curves, "c").values, (std::vector<double>{1, 3}));
}

TEST(RunDataTest, ABrokenRecipeIsANote) {
  const TemporaryFolder folder;
  write_run(folder.path());
  write_file_atomic(folder.path() / "recipe.toml", "kind = \"rl\"\n[train\n");
  const RunData run = read_run(folder.path(), 4);
  EXPECT_EQ(run_kind(run), "unknown");
  EXPECT_TRUE(has_note(run.notes, {"recipe.toml"}));
}

TEST(RunDataTest, RecordsOfAnyTypeAreSurvived) {
  const TemporaryFolder folder;
  write_run(folder.path());
  write_file_atomic(folder.path() / "rollouts" / "step_000005.jsonl",
                    "{\"prompt\":3,\"group\":\"x\",\"sample\":1.5,\"texts\":[1,\"t\"],\"checks\":[1,{\"name\":2}],"
                    "\"questions\":{},\"reward\":null,\"valid\":\"no\",\"image\":7}\n");
  write_file_atomic(folder.path() / "eval" / "step_000005.jsonl",
                    "{\"prompt\":[],\"correct\":1,\"correct_rounds\":[2]}\n");
  const RunData run = read_run(folder.path(), 4);
  const StageData& stage = run.rollouts.at(0).stages.at(0);
  EXPECT_EQ(stage.texts, (std::vector<std::string>{"t"}));
  EXPECT_FALSE(stage.reward);
  EXPECT_TRUE(stage.valid);
  EXPECT_TRUE(stage.image.empty());
}

TEST(RunDataTest, PicturesOutsideTheFolderAreRefused) {
  const TemporaryFolder folder;
  write_run(folder.path());
  write_file_atomic(folder.path() / "rollouts" / "step_000005.jsonl",
                    stage_line(0, 0, 0, 1, "../../secret.png") + stage_line(0, 1, 0, 1, "/etc/secret.png"));
  const RunData run = read_run(folder.path(), 4);
  for (const StageData& stage : run.rollouts.at(0).stages) EXPECT_TRUE(stage.image.empty());
  EXPECT_TRUE(has_note(run.notes, {"../../secret.png"}));
  EXPECT_TRUE(has_note(run.notes, {"/etc/secret.png"}));
}

TEST(RunDataTest, ARefinedChainHasTwoVerdicts) {
  const TemporaryFolder folder;
  write_run(folder.path());
  write_file_atomic(folder.path() / "eval" / "step_000005.jsonl",
                    "{\"prompt\":\"p\",\"correct\":true,\"correct_rounds\":[false,true]}\n");
  const RunData run = read_run(folder.path(), 4);
  EXPECT_TRUE(run.after->lines.at(0).correct);
  EXPECT_FALSE(run.after->lines.at(0).first_correct);
}

TEST(SpreadChoiceTest, HasTheFirstTheLastAndSomeBetween) {
  const std::vector<int64_t> steps = {0, 50, 100, 150, 200, 250, 300, 350};
  EXPECT_EQ(spread_choice(steps, 4), (std::vector<int64_t>{0, 100, 200, 350}));
  EXPECT_EQ(spread_choice(steps, 1), (std::vector<int64_t>{350}));
  EXPECT_EQ(spread_choice(steps, 100), steps);
  EXPECT_TRUE(spread_choice({}, 3).empty());
}

}  // namespace
}  // namespace diptych
