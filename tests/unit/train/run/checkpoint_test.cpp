#include "diptych/tensor/torch.h"

#include "diptych/train/run/checkpoint.h"

#include <gtest/gtest.h>

#include <fstream>

#include "diptych/base/error.h"
#include "diptych/io/files.h"
#include "support/compare.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace diptych {
namespace {

namespace fs = std::filesystem;

/** Weights whose values tell the step. */
std::vector<NamedTensor> weights_of(int64_t step) {
  return {{"layer.weight", at::arange(12, at::kFloat).view({3, 4}) * static_cast<double>(step)},
          {"layer.bias", at::full({4}, static_cast<double>(step), at::kDouble)}};
}

std::vector<NamedTensor> optimizer_of(int64_t step) {
  return {{"step", at::full({1}, step, at::kLong)}};
}

class Checkpoint : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  const fs::path& run_ = folder_.path();

  fs::path save(int64_t step, int keep_last = 10) {
    return save_checkpoint(run_, {.step = step}, weights_of(step), optimizer_of(step), keep_last);
  }

  /** Step of the checkpoint that loads, after a check that its tensors are those of that step; -1 if there is none. */
  int64_t loaded_step() {
    const std::optional<LoadedCheckpoint> loaded = load_latest(run_);
    if (!loaded) return -1;
    const int64_t step = loaded->state.step;
    for (const auto& [name, tensor] : weights_of(step)) EXPECT_TRUE(same_bits(loaded->weights.at(name), tensor));
    for (const auto& [name, tensor] : optimizer_of(step)) EXPECT_TRUE(same_bits(loaded->optimizer.at(name), tensor));
    return step;
  }

  fs::path at_step(int64_t step) { return list_checkpoints(run_).at(step); }

  std::vector<int64_t> steps() {
    std::vector<int64_t> result;
    for (const auto& [step, folder] : list_checkpoints(run_)) result.push_back(step);
    return result;
  }
};

void flip_last_byte(const fs::path& file) {
  std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
  stream.seekg(-1, std::ios::end);
  const char byte = static_cast<char>(stream.get() ^ 1);
  stream.seekp(-1, std::ios::end);
  stream.put(byte);
}

void overwrite(const fs::path& file, const std::string& text) {
  std::ofstream(file, std::ios::trunc) << text;
}

TEST_F(Checkpoint, RestoresEverything) {
  const TrainState state{.step = 123,
                         .counters = {{"masked", 7}, {"prompts", int64_t{1} << 60}},
                         .base_hash = "aa",
                         .reference_hash = "bb",
                         .environment = {.threads = 2, .instruction_set = "AVX512", .torch_version = "2.13.0"},
                         .extra = {{"best", 0.1}, {"names", {"x", "y"}}}};
  const fs::path folder = save_checkpoint(run_, state, weights_of(123), optimizer_of(123), 1);
  EXPECT_EQ(folder, run_ / "checkpoints" / "step_000123");
  const std::optional<LoadedCheckpoint> loaded = load_latest(run_);
  ASSERT_TRUE(loaded);
  EXPECT_EQ(loaded->folder, folder);
  EXPECT_EQ(loaded->state.step, 123);
  EXPECT_EQ(loaded->state.counters, state.counters);
  EXPECT_EQ(loaded->state.base_hash, "aa");
  EXPECT_EQ(loaded->state.reference_hash, "bb");
  EXPECT_EQ(loaded->state.environment, state.environment);
  EXPECT_EQ(loaded->state.extra, state.extra);
  EXPECT_EQ(loaded->weights.size(), 2u);
  EXPECT_EQ(loaded_step(), 123);
}

TEST_F(Checkpoint, AbsenceIsNotAnError) {
  EXPECT_EQ(loaded_step(), -1);
}

TEST_F(Checkpoint, KeepsTheLastOnes) {
  for (int64_t step = 1; step <= 5; ++step) save(step, 2);
  EXPECT_EQ(steps(), (std::vector<int64_t>{4, 5}));
  EXPECT_EQ(read_file(run_ / "checkpoints" / "LATEST"), "step_000005\n");
  EXPECT_EQ(std::distance(fs::directory_iterator(run_ / "checkpoints"), fs::directory_iterator()), 3);
}

TEST_F(Checkpoint, NeverRemovesTheOneThatLatestNames) {
  save(10);
  save(20);
  save(5, 1);  // the run went back to before 10
  EXPECT_EQ(steps(), (std::vector<int64_t>{5, 10, 20}));
  EXPECT_EQ(loaded_step(), 5);
}

TEST_F(Checkpoint, SavingAStepAgainReplacesIt) {
  save(1);
  save_checkpoint(run_, {.step = 1, .base_hash = "second"}, weights_of(1), optimizer_of(1), 3);
  EXPECT_EQ(load_latest(run_)->state.base_hash, "second");
  EXPECT_EQ(std::distance(fs::directory_iterator(run_ / "checkpoints"), fs::directory_iterator()), 2);
}

TEST_F(Checkpoint, EveryKindOfDamageFallsBackToThePreviousOne) {
  const std::vector<std::string> files = {"trainable.safetensors", "optimizer.safetensors", "state.json",
                                          "manifest.json"};
  for (const std::string& file : files) {
    for (const std::string damage : {"flip", "truncate", "delete", "empty"}) {
      SCOPED_TRACE(file + " " + damage);
      fs::remove_all(run_ / "checkpoints");
      save(1);
      const fs::path target = save(2) / file;
      if (damage == "flip") {
        // The last byte of a manifest is white space, so its first one is spoilt instead.
        file == "manifest.json" ? overwrite(target, "x" + read_file(target).substr(1)) : flip_last_byte(target);
      }
      if (damage == "truncate") fs::resize_file(target, fs::file_size(target) / 2);
      if (damage == "delete") fs::remove(target);
      if (damage == "empty") overwrite(target, "");
      EXPECT_NE(checkpoint_damage(target.parent_path()).find(file), std::string::npos);
      EXPECT_EQ(loaded_step(), 1);
    }
  }
}

TEST_F(Checkpoint, AManifestMustFitItsFolder) {
  save(1);
  const fs::path folder = save(2);
  fs::copy_file(at_step(1) / "manifest.json", folder / "manifest.json", fs::copy_options::overwrite_existing);
  EXPECT_EQ(checkpoint_damage(folder), "manifest.json belongs to step 1");
  overwrite(folder / "manifest.json", "{}");
  EXPECT_NE(checkpoint_damage(folder).find("not a manifest"), std::string::npos);
  overwrite(folder / "manifest.json", R"({"format_version": 99})");
  EXPECT_NE(checkpoint_damage(folder).find("format version 99"), std::string::npos);
}

TEST_F(Checkpoint, AStateOfAnotherFormIsAnErrorThatNamesIt) {
  const fs::path folder = save(1);
  for (const std::string text : {"null", "{}", R"({"step": "one"})", "{\"step\": 1e999}", "no JSON"}) {
    overwrite(folder / "state.json", text);
    nlohmann::json manifest = nlohmann::json::parse(read_file(folder / "manifest.json"));
    manifest["files"]["state.json"] = {{"bytes", text.size()}, {"xxh3", hash_bytes(text)}};
    overwrite(folder / "manifest.json", manifest.dump());
    expect_error([&] { load_latest(run_); }, ExitCode::model, {"state.json", "another version"});
  }
}

TEST_F(Checkpoint, AllDamagedIsAnErrorThatNamesEach) {
  flip_last_byte(save(1) / "trainable.safetensors");
  fs::remove(save(2) / "state.json");
  try {
    load_latest(run_);
    FAIL() << "no error";
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_EQ(error.code(), ExitCode::model);
    EXPECT_NE(text.find("step_000001: trainable.safetensors does not match its hash"), std::string::npos) << text;
    EXPECT_NE(text.find("step_000002: state.json is missing"), std::string::npos) << text;
  }
}

TEST_F(Checkpoint, LatestIsFollowedEvenBackwards) {
  save(1);
  save(2);
  save(3);
  overwrite(run_ / "checkpoints" / "LATEST", "step_000002");
  EXPECT_EQ(loaded_step(), 2);
  flip_last_byte(at_step(2) / "state.json");
  EXPECT_EQ(loaded_step(), 1);
  flip_last_byte(at_step(1) / "state.json");
  EXPECT_EQ(loaded_step(), 3);
}

TEST_F(Checkpoint, WithoutAUsableLatestTheNewestIsTaken) {
  save(1);
  save(2);
  const fs::path latest = run_ / "checkpoints" / "LATEST";
  for (const std::string text : {"step_000099\n", "garbage", "", "step_", "../../etc"}) {
    overwrite(latest, text);
    EXPECT_EQ(loaded_step(), 2) << text;
  }
  fs::remove(latest);
  EXPECT_EQ(loaded_step(), 2);
}

// Crashes between two steps of the write order, as the folders they leave behind.

TEST_F(Checkpoint, CrashWhileWritingLeavesOnlyATemporaryFolder) {
  save(1);
  fs::copy(save(2), run_ / "checkpoints" / "tmp_step_000003", fs::copy_options::recursive);
  fs::remove(run_ / "checkpoints" / "tmp_step_000003" / "manifest.json");
  EXPECT_EQ(loaded_step(), 2);
  tidy_checkpoints(run_);
  EXPECT_FALSE(fs::exists(run_ / "checkpoints" / "tmp_step_000003"));
  EXPECT_EQ(steps(), (std::vector<int64_t>{1, 2}));
}

TEST_F(Checkpoint, CrashBeforeLatestKeepsThePreviousOne) {
  save(1);
  const std::string latest = read_file(run_ / "checkpoints" / "LATEST");
  save(2);
  overwrite(run_ / "checkpoints" / "LATEST", latest);
  overwrite(run_ / "checkpoints" / "LATEST.tmp-1-0", "step_00");
  EXPECT_EQ(loaded_step(), 1);
  tidy_checkpoints(run_);
  EXPECT_FALSE(fs::exists(run_ / "checkpoints" / "LATEST.tmp-1-0"));
  EXPECT_EQ(loaded_step(), 1);
}

TEST_F(Checkpoint, CrashWhileReplacingGivesTheOldOneItsNameBack) {
  const fs::path folder = save(1);
  const fs::path set_aside = run_ / "checkpoints" / "old_step_000001";
  fs::copy(folder, run_ / "checkpoints" / "tmp_step_000001", fs::copy_options::recursive);
  fs::rename(folder, set_aside);
  EXPECT_EQ(loaded_step(), -1);
  tidy_checkpoints(run_);
  EXPECT_EQ(loaded_step(), 1);
  EXPECT_FALSE(fs::exists(set_aside));
}

TEST_F(Checkpoint, CrashAfterReplacingDropsTheOldOne) {
  const fs::path folder = save(1);
  fs::copy(folder, run_ / "checkpoints" / "old_step_000001", fs::copy_options::recursive);
  tidy_checkpoints(run_);
  EXPECT_FALSE(fs::exists(run_ / "checkpoints" / "old_step_000001"));
  EXPECT_EQ(loaded_step(), 1);
}

TEST_F(Checkpoint, CrashWhileRemovingLeavesNoDamagedCheckpoint) {
  const fs::path folder = save(1);
  save(2);
  const fs::path half_removed = run_ / "checkpoints" / "tmp_removed_step_000001";
  fs::rename(folder, half_removed);
  fs::remove(half_removed / "state.json");
  tidy_checkpoints(run_);
  EXPECT_FALSE(fs::exists(half_removed));
  EXPECT_EQ(loaded_step(), 2);
}

TEST_F(Checkpoint, LeftoversDoNotDisturbTheNextSave) {
  save(1);
  fs::create_directories(run_ / "checkpoints" / "tmp_step_000002" / "junk");
  fs::create_directories(run_ / "checkpoints" / "tmp_removed_step_000001");
  save(2, 1);
  EXPECT_EQ(steps(), (std::vector<int64_t>{2}));
  EXPECT_EQ(loaded_step(), 2);
}

TEST(CheckResumable, RefusesAnotherBaseOrReference) {
  const TrainState saved{.step = 1, .base_hash = "aa", .reference_hash = "", .environment = {.threads = 2}};
  EXPECT_NO_THROW(check_resumable(saved, saved));
  TrainState current = saved;
  current.environment.threads = 4;  // only a warning
  EXPECT_NO_THROW(check_resumable(saved, current));
  current.reference_hash = "cc";
  EXPECT_THROW(check_resumable(saved, current), Error);
  current = saved;
  current.base_hash = "bb";
  EXPECT_THROW(check_resumable(saved, current), Error);
}

}  // namespace
}  // namespace diptych
