#include "diptych/train/run_folder.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/io/files.h"
#include "diptych/train/checkpoint.h"
#include "support/temporary_folder.h"

namespace diptych {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRecipe = "seed = 1\n[train]\nsteps = 10\nlr = 0.1\n[eval]\nevery = 5\n";

class RunFolder : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  const fs::path run_ = folder_.path() / "run";

  bool prepare(Resume resume, const std::string& recipe = kRecipe) {
    return prepare_run_folder(run_, resume, recipe, {"train.steps", "eval.*"});
  }
  void save_step() { save_checkpoint(run_, TrainState(), {}, {}, 1); }

  /** Code and text of the error that prepare() throws; ok if it throws none. */
  std::pair<ExitCode, std::string> refusal(Resume resume, const std::string& recipe = kRecipe) {
    try {
      prepare(resume, recipe);
      return {ExitCode::ok, ""};
    } catch (const Error& error) {
      return {error.code(), error.what()};
    }
  }
};

TEST_F(RunFolder, ANewRunStoresItsRecipe) {
  for (const Resume resume : {Resume::automatic, Resume::never}) {
    fs::remove_all(run_);
    EXPECT_FALSE(prepare(resume));
    EXPECT_EQ(read_file(run_ / "recipe.toml"), kRecipe);
  }
}

TEST_F(RunFolder, AutomaticContinuesFromACheckpointOnly) {
  prepare(Resume::automatic);
  EXPECT_FALSE(prepare(Resume::automatic));
  save_step();
  EXPECT_TRUE(prepare(Resume::automatic));
}

TEST_F(RunFolder, NeverRefusesAFolderInUse) {
  prepare(Resume::never);
  const auto [code, text] = refusal(Resume::never);
  EXPECT_EQ(code, ExitCode::config);
  EXPECT_NE(text.find("resume = auto"), std::string::npos) << text;
}

TEST_F(RunFolder, TheLockAndAHalfWrittenRecipeDoNotCountAsContent) {
  const RunLock lock(run_);
  std::ofstream(run_ / "recipe.toml.tmp-1-0") << "see";  // of a crash before the first recipe was complete
  EXPECT_FALSE(prepare(Resume::never));
}

TEST_F(RunFolder, WhatAKilledProcessWasWritingGoes) {
  prepare(Resume::automatic);
  fs::create_directories(run_ / "model");
  for (const char* name : {"metrics.jsonl.tmp-12-3", "model/ema.safetensors.tmp-12-40", "model/notes.tmp-mine"})
    write_file_atomic(run_ / name, "half");
  prepare(Resume::automatic);
  EXPECT_FALSE(fs::exists(run_ / "metrics.jsonl.tmp-12-3"));
  EXPECT_FALSE(fs::exists(run_ / "model" / "ema.safetensors.tmp-12-40"));
  EXPECT_TRUE(fs::exists(run_ / "model" / "notes.tmp-mine"));
}

TEST_F(RunFolder, MustNeedsACheckpoint) {
  EXPECT_EQ(refusal(Resume::must).first, ExitCode::config);
  fs::remove_all(run_);
  prepare(Resume::automatic);
  EXPECT_EQ(refusal(Resume::must).first, ExitCode::config);
  save_step();
  EXPECT_TRUE(prepare(Resume::must));
}

TEST_F(RunFolder, RefusesFoldersOfSomethingElse) {
  fs::create_directories(run_);
  std::ofstream(run_ / "thesis.tex") << "words";
  EXPECT_EQ(refusal(Resume::automatic).first, ExitCode::config);
  EXPECT_FALSE(fs::exists(run_ / "recipe.toml"));
}

TEST_F(RunFolder, RefusesAnotherRecipeAndListsTheChanges) {
  prepare(Resume::automatic);
  save_step();
  const std::string longer = "seed = 1\n[train]\nsteps = 20 # more\nlr = 1e-1\n[eval]\nevery = 1\nnew_key = true\n";
  EXPECT_TRUE(prepare(Resume::automatic, longer));
  EXPECT_EQ(read_file(run_ / "recipe.toml"), longer);

  const auto [code, text] = refusal(Resume::automatic, "seed = 2\n[train]\nsteps = 20\nlr = 0.2\n[eval]\nevery = 1\n");
  EXPECT_EQ(code, ExitCode::config);
  EXPECT_NE(text.find("seed: 1 -> 2; train.lr: 0.1 -> 0.2"), std::string::npos) << text;
  EXPECT_EQ(read_file(run_ / "recipe.toml"), longer);
}

TEST(RecipeChanges, NamesNewAndMissingKeys) {
  const std::vector<std::string> expected = {"a: 1 -> (none)", "b.c: [1, 2.5] -> [1, 3.5]", "d: (none) -> 'x'"};
  EXPECT_EQ(recipe_changes("a = 1\n[b]\nc = [1, 2.5]\n", "d = \"x\" # new\n[b]\nc = [1, 3.5]\n", {}), expected);
}

TEST(RecipeChanges, RefusesWhatIsNotToml) {
  EXPECT_THROW(recipe_changes("a = = 1", "a = 1", {}), Error);
}

TEST(ParseResume, KnowsThreeWords) {
  EXPECT_EQ(parse_resume("auto"), Resume::automatic);
  EXPECT_EQ(parse_resume("never"), Resume::never);
  EXPECT_EQ(parse_resume("must"), Resume::must);
  EXPECT_THROW(parse_resume("maybe"), Error);
}

TEST_F(RunFolder, ALiveLockNamesItsProcess) {
  const RunLock lock(run_);
  try {
    const RunLock second(run_);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::io);
    EXPECT_NE(std::string(error.what()).find(cat("process ", getpid())), std::string::npos) << error.what();
  }
}

TEST_F(RunFolder, TheLockEndsWithTheObject) {
  { const RunLock lock(run_); }
  EXPECT_NO_THROW(RunLock second(run_));
}

TEST_F(RunFolder, TheLockEndsWithAKilledProcess) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const RunLock lock(run_);
    const char byte = 1;
    if (write(ready[1], &byte, 1) != 1) _exit(1);
    while (true) pause();
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  EXPECT_THROW(RunLock second(run_), Error);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_NO_THROW(RunLock third(run_));
  ::close(ready[0]);
  ::close(ready[1]);
}

}  // namespace
}  // namespace diptych
