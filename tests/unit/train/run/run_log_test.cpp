#include "diptych/train/run/run_log.h"

#include <gtest/gtest.h>

#include "support/temporary_folder.h"

namespace diptych {
namespace {

class RunLog : public ::testing::Test {
 protected:
  RunLog() {
    run_.dir = folder_.path() / "run";
    run_.seed = 7;
    groups_[0].name = "und";
    groups_[0].learning_rate = 1e-5;
    groups_[0].parameters = {{"a", at::zeros({1000, 500})}, {"b", at::zeros({1000})}};
    groups_[1].name = "gen";
    groups_[1].learning_rate = 2e-4;
    groups_[1].parameters = {{"c", at::zeros({99'000})}};
  }
  RunStart start(int64_t first_step = 0, int64_t steps = 40) {
    return {.run = run_, .model = "base", .first_step = first_step, .steps = steps, .groups = groups_};
  }

  TemporaryFolder folder_;
  RunConfig run_;
  std::vector<ParameterGroup> groups_ = std::vector<ParameterGroup>(2);
};

TEST_F(RunLog, SaysWhatTrainsAndWhereToLook) {
  const std::vector<std::string> lines = run_start_lines(start());
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[0],
            "model base; what trains: und 0.501 million weights at 1e-05, gen 0.099 million weights at 0.0002");
  EXPECT_EQ(lines[1], "run folder " + run_.dir + "; 40 steps; seed 7");
  EXPECT_NE(lines[2].find("`tensorboard --logdir " + run_.dir + "/tensorboard`"), std::string::npos);
  EXPECT_NE(lines[2].find("`diptych report " + run_.dir + "`"), std::string::npos);
  EXPECT_EQ(run_start_lines(start(12))[1], "run folder " + run_.dir + "; 40 steps, 12 of them done; seed 7");
}

TEST_F(RunLog, CommandsCanBePasted) {
  EXPECT_EQ(report_command_line("runs/läufe-1.2"), "diptych report runs/läufe-1.2");
  EXPECT_EQ(report_command_line("my runs/a"), "diptych report 'my runs/a'");
  EXPECT_EQ(report_command_line("it's"), "diptych report 'it'\\''s'");
}

TEST_F(RunLog, NeedsRoomForTheCheckpointsThatAreThereAtOnce) {
  const int64_t checkpoint = 600'000 * 12;
  EXPECT_EQ(disk_need(start()), checkpoint);  // one, at the end
  run_.checkpoint_every = 10;
  run_.keep_checkpoints = 2;
  EXPECT_EQ(disk_need(start()), 3 * checkpoint);
  EXPECT_EQ(disk_need(start(0, 10)), 2 * checkpoint);
  std::filesystem::create_directories(folder_.path() / "run" / "checkpoints" / "step_000010");
  EXPECT_EQ(disk_need(start(10)), 2 * checkpoint);
  RunStart with_model = start(10);
  with_model.model_bytes = 5;
  with_model.averages = 1;
  EXPECT_EQ(disk_need(with_model), 2 * 600'000 * 16 + 5);
}

}  // namespace
}  // namespace diptych
