#include "diptych/rollout/episodes/episodes.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace diptych {
namespace {

TEST(EpisodeProgramTest, EveryNameHasItsStages) {
  struct Expected {
    std::string name;
    size_t stages;
    bool images, writes, paints, may_stop;
  };
  const std::vector<Expected> all = {
      {"t2i", 1, false, false, true, false},       {"think", 1, false, true, true, false},
      {"edit", 1, true, false, true, false},       {"edit_think", 1, true, true, true, false},
      {"understand", 1, true, true, false, false}, {"reflect", 1, true, true, true, false},
      {"review", 1, true, true, true, true},       {"rounds:1", 2, false, true, true, true},
      {"rounds:64", 65, false, true, true, true}};
  for (const Expected& expected : all) {
    const EpisodeProgram program = episode_program(expected.name);
    EXPECT_EQ(program.name, expected.name);
    EXPECT_EQ(program.stages.size(), expected.stages) << expected.name;
    EXPECT_EQ(needs_images(program), expected.images) << expected.name;
    EXPECT_EQ(writes(program), expected.writes) << expected.name;
    EXPECT_EQ(paints(program), expected.paints) << expected.name;
    EXPECT_EQ(program.stages.back().may_stop, expected.may_stop) << expected.name;
  }
}

TEST(EpisodeProgramTest, EveryStageEndsWithAText) {
  for (const char* name : {"t2i", "think", "edit", "edit_think", "understand", "reflect", "review", "rounds:2"})
    for (const StageProgram& stage : episode_program(name).stages)
      EXPECT_NE(stage.given.back(), GivenPart::images) << name;
}

TEST(EpisodeProgramTest, RoundsThinkThenReview) {
  const EpisodeProgram program = episode_program("rounds:3");
  ASSERT_EQ(program.stages.size(), 4u);
  EXPECT_EQ(program.stages[0].given, episode_program("think").stages[0].given);
  EXPECT_FALSE(program.stages[0].may_stop);
  for (size_t k = 1; k < 4; ++k) EXPECT_EQ(program.stages[k].given, episode_program("review").stages[0].given);
}

TEST(EpisodeProgramTest, OtherNamesAreRefused) {
  for (const char* name : {"", "paint", "Think", "rounds", "rounds:", "rounds:0", "rounds:-1", "rounds:65", "rounds:2x",
                           "rounds:99999999999999999999"})
    expect_error([&] { episode_program(name); }, ExitCode::config,
                 {"episode",
                  "expected t2i, think, edit, edit_think, understand, reflect, review or rounds:N with N from 1 to 64",
                  "'" + std::string(name) + "'"});
}

TEST(EpisodeProgramTest, EditsChangeTheUsersImages) {
  for (const char* name : {"t2i", "think", "understand", "reflect", "review", "rounds:2"})
    EXPECT_FALSE(episode_program(name).edits) << name;
  for (const char* name : {"edit", "edit_think"}) EXPECT_TRUE(episode_program(name).edits) << name;
}

TEST(EpisodeProgramTest, TheCommentOfRecipesNamesThoseThatPaint) {
  EXPECT_EQ(episode_comment(),
            "t2i, think (reason, then paint), edit, edit_think, reflect (look at a picture that failed, repair it), "
            "review (repair it or stop), rounds:N (think, then up to N reviews)");
}

}  // namespace
}  // namespace diptych
