#include "diptych/train/run/run_folder.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/io/files.h"
#include "diptych/train/run/checkpoint.h"
#include "support/temporary_folder.h"

namespace diptych {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRecipe = "seed = 1\n";

class RunFolder : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  const fs::path run_ = folder_.path() / "run";

  /** Prepares it and stores a recipe, as a start does. */
  bool prepare(Resume resume) {
    const bool continues = prepare_run_folder(run_, resume);
    store_recipe(run_, kRecipe);
    return continues;
  }
  void save_step() { save_checkpoint(run_, TrainState(), {}, {}, 1); }

  /** Code and text of the error that prepare() throws; ok if it throws none. */
  std::pair<ExitCode, std::string> refusal(Resume resume) {
    try {
      prepare(resume);
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
    EXPECT_EQ(stored_recipe(run_)->text, kRecipe);
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

TEST_F(RunFolder, WhatWasLeftBehindIsSetAsideAsARunOfItsOwn) {
  prepare(Resume::automatic);
  for (const char* name : {"tensorboard", "eval"}) fs::create_directories(run_ / name);
  write_file_atomic(run_ / "metrics.jsonl", "");  // of a start that came to nothing
  write_file_atomic(run_ / "tensorboard" / "events", "header");
  EXPECT_TRUE(left_behind(run_).empty());
  write_file_atomic(run_ / "metrics.jsonl", "{\"step\":1}\n");
  write_file_atomic(run_ / "eval" / "step_000000.jsonl", "{}\n");
  write_file_atomic(run_ / "non_finite_step_3.json", "[]");
  write_file_atomic(run_ / "judge.jsonl", "{}\n");
  EXPECT_EQ(left_behind(run_), (std::vector<std::string>{"eval", "metrics.jsonl", "non_finite_step_3.json"}));
  const fs::path before = set_aside(run_);
  EXPECT_TRUE(before.filename().string().starts_with("before_2"));
  for (const char* name :
       {"metrics.jsonl", "eval/step_000000.jsonl", "non_finite_step_3.json", "tensorboard/events", "recipe.toml"})
    EXPECT_TRUE(fs::exists(before / name)) << name;
  EXPECT_TRUE(left_behind(run_).empty());
  EXPECT_FALSE(fs::exists(run_ / "tensorboard"));
  EXPECT_TRUE(fs::exists(run_ / "judge.jsonl"));  // replies are worth money, and belong to no run
  EXPECT_TRUE(fs::exists(run_ / "recipe.toml"));
  write_file_atomic(run_ / "metrics.jsonl", "{\"step\":1}\n");
  EXPECT_NE(set_aside(run_), before);  // within the same second
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
