#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "diptych/shapes/edits/edit.h"
#include "diptych/shapes/examples/distort.h"

namespace diptych::shapes {
namespace {

constexpr double kEditAgreement = 0.99;
constexpr int kRounds = 1000;

class EditVerdicts : public testing::TestWithParam<EditKind> {
 protected:
  /** Calls check(task, edited scene, stream) on random tasks; true answers must be at least kEditAgreement of them. */
  template <class Check>
  void expect_nearly_always(const Check& check) {
    Stream stream({.seed = 7, .sample = static_cast<uint64_t>(GetParam())});
    int held = 0;
    for (int round = 0; round < kRounds; ++round) {
      const EditTask task = sample_edit(stream, static_cast<Split>(round % 3), GetParam(), world_);
      held += check(task, apply_edit(task.edit, task.source, world_, stream), stream);
    }
    EXPECT_GE(held, kEditAgreement * kRounds);
  }

  EditVerdict judge(const Scene& scene, const EditTask& task) const {
    return verify_edit(render(scene, world_), task, world_);
  }

  World world_;
};

bool is_in_unit_range(const EditVerdict& verdict) {
  return std::min({verdict.followed, verdict.preserved, verdict.quality}) >= 0 &&
         std::max({verdict.followed, verdict.preserved, verdict.quality}) <= 1;
}

bool mentions(const EditVerdict& verdict, std::string_view words) {
  return std::any_of(verdict.reasons.begin(), verdict.reasons.end(),
                     [&](const std::string& reason) { return reason.find(words) != std::string::npos; });
}

/** Wrong, with a reason that holds the words. */
bool is_wrong(const EditVerdict& verdict, std::string_view words) {
  return !verdict.correct && mentions(verdict, words) && is_in_unit_range(verdict);
}

/** Index in the edited scene of an object that the edit left alone; -1 if there is none. */
int draw_untouched(const EditTask& task, const Scene& edited, Stream& stream) {
  std::vector<int> untouched;
  for (size_t index = 0; index < edited.objects.size(); ++index)
    for (const Object& before : task.source.objects) {
      const Object& after = edited.objects[index];
      if (before.shape == after.shape && before.colour == after.colour && before.cell == after.cell &&
          before.size == after.size)
        untouched.push_back(static_cast<int>(index));
    }
  return untouched.empty() ? -1 : untouched[stream.below(untouched.size())];
}

Colour other_colour(Colour colour, Stream& stream) {
  return static_cast<Colour>((static_cast<size_t>(colour) + 1 + stream.below(kColourNames.size() - 1)) %
                             kColourNames.size());
}

std::string look_of(const Object& object) {
  return std::string(kColourNames[static_cast<size_t>(object.colour)]) + ' ' +
         std::string(kShapeNames[static_cast<size_t>(object.shape)]);
}

TEST_P(EditVerdicts, TheEditedSceneIsCorrect) {
  expect_nearly_always([&](const EditTask& task, const Scene& edited, Stream&) {
    const EditVerdict verdict = judge(edited, task);
    EXPECT_EQ(verdict.correct, verdict.reasons.empty());
    return verdict.correct && is_in_unit_range(verdict) && verdict.followed > 0.8 && verdict.preserved > 0.8 &&
           verdict.overall() > 0.8;
  });
}

TEST_P(EditVerdicts, TheSourceIsPreservedButNotEdited) {
  expect_nearly_always([&](const EditTask& task, const Scene&, Stream&) {
    const EditVerdict verdict = judge(task.source, task);
    return is_wrong(verdict, "") && verdict.followed < 0.1 && verdict.preserved > 0.8;
  });
}

TEST_P(EditVerdicts, AnotherColourIsWrong) {
  expect_nearly_always([&](const EditTask& task, const Scene& edited, Stream& stream) {
    const int index = draw_untouched(task, edited, stream);
    if (index < 0) return true;
    Scene spoilt = edited;
    spoilt.objects[index].colour = other_colour(edited.objects[index].colour, stream);
    const EditVerdict verdict = judge(spoilt, task);
    return is_wrong(verdict, look_of(edited.objects[index])) && is_wrong(verdict, look_of(spoilt.objects[index])) &&
           verdict.preserved < judge(edited, task).preserved - 0.15;
  });
}

TEST_P(EditVerdicts, AMissingObjectIsWrong) {
  expect_nearly_always([&](const EditTask& task, const Scene& edited, Stream& stream) {
    if (edited.objects.empty()) return true;
    const size_t index = stream.below(edited.objects.size());
    Scene spoilt = edited;
    spoilt.objects.erase(spoilt.objects.begin() + index);
    const EditVerdict verdict = judge(spoilt, task);
    return is_wrong(verdict, look_of(edited.objects[index])) && is_wrong(verdict, "found nothing") &&
           verdict.overall() < judge(edited, task).overall();
  });
}

TEST_P(EditVerdicts, AnotherObjectMovedIsWrong) {
  expect_nearly_always([&](const EditTask& task, const Scene& edited, Stream& stream) {
    const int index = draw_untouched(task, edited, stream);
    const std::vector<int> cells = free_cells(edited, world_);
    if (index < 0 || cells.empty()) return true;
    Scene spoilt = edited;
    spoilt.objects[index].cell = cells[stream.below(cells.size())];
    const EditVerdict verdict = judge(spoilt, task);
    return is_wrong(verdict, look_of(edited.objects[index])) &&
           verdict.preserved < judge(edited, task).preserved - 0.15;
  });
}

TEST_P(EditVerdicts, AnotherSizeIsWrong) {
  expect_nearly_always([&](const EditTask& task, const Scene& edited, Stream& stream) {
    if (edited.objects.empty()) return true;
    Scene spoilt = edited;
    Object& object = spoilt.objects[stream.below(edited.objects.size())];
    object.size = object.size == Size::small ? Size::normal : Size::small;
    return is_wrong(judge(spoilt, task), look_of(object));
  });
}

TEST_P(EditVerdicts, AnotherBackgroundIsWrong) {
  expect_nearly_always([&](const EditTask& task, const Scene& edited, Stream& stream) {
    Scene spoilt = edited;
    const size_t step = 1 + stream.below(kBackgroundNames.size() - 1);
    spoilt.background =
        static_cast<Background>((static_cast<size_t>(edited.background) + step) % kBackgroundNames.size());
    const EditVerdict verdict = judge(spoilt, task);
    return is_wrong(verdict, "background") && verdict.overall() < judge(edited, task).overall();
  });
}

TEST_P(EditVerdicts, AnExtraObjectIsWrong) {
  expect_nearly_always([&](const EditTask& task, const Scene& edited, Stream& stream) {
    const std::vector<int> cells = free_cells(edited, world_);
    if (cells.empty()) return true;
    Scene spoilt = edited;
    spoilt.objects.push_back({Shape::circle, Colour::black, cells[stream.below(cells.size())]});
    const EditVerdict verdict = judge(spoilt, task);
    const EditVerdict clean = judge(edited, task);
    return is_wrong(verdict, "unexpected: a black circle") && verdict.overall() < clean.overall() - 0.15;
  });
}

TEST_P(EditVerdicts, BlurLowersTheQuality) {
  expect_nearly_always([&](const EditTask& task, const Scene& edited, Stream&) {
    if (edited.objects.empty()) return true;
    const EditVerdict blurred = verify_edit(gaussian_blur(render(edited, world_), 2.5), task, world_);
    return blurred.quality < judge(edited, task).quality && is_in_unit_range(blurred);
  });
}

TEST_P(EditVerdicts, WorldsOfAnotherScaleAreJudgedAlike) {
  world_ = {.canvas = 64, .cells = 2, .radius = 12, .jitter = 2};
  expect_nearly_always([&](const EditTask& task, const Scene& edited, Stream&) {
    return judge(edited, task).correct && !judge(task.source, task).correct;
  });
}

INSTANTIATE_TEST_SUITE_P(Kinds, EditVerdicts,
                         testing::Values(EditKind::add, EditKind::remove, EditKind::recolour, EditKind::move,
                                         EditKind::replace, EditKind::resize, EditKind::background),
                         [](const auto& info) { return std::string(kEditKindNames[static_cast<size_t>(info.param)]); });

EditTask task_of(std::string_view text, const Scene& source) {
  return {.edit = parse_instruction(text).value(), .text = std::string(text), .source = source};
}

Scene circle_and_square() {
  return {.objects = {{Shape::circle, Colour::red, 0}, {Shape::square, Colour::blue, 3}}};
}

TEST(EditVerdict, NamesTheFaultOfABotchedEdit) {
  const EditTask task = task_of("change the color of the red circle to green", circle_and_square());
  Scene botched = circle_and_square();
  botched.objects[0].colour = Colour::pink;
  const EditVerdict verdict = verify_edit(render(botched, World{}), task, World{});
  EXPECT_EQ(verdict.reasons, std::vector<std::string>{"expected a green circle at the top left, found a pink circle"});
  EXPECT_LT(verdict.followed, 0.1);
  EXPECT_GT(verdict.preserved, 0.9);
}

TEST(EditVerdict, ACopyIsNotAMove) {
  const EditTask task = task_of("move the red circle to the top right", circle_and_square());
  Scene copied = circle_and_square();
  copied.objects.push_back({Shape::circle, Colour::red, 1});
  const EditVerdict verdict = verify_edit(render(copied, World{}), task, World{});
  EXPECT_EQ(verdict.reasons, std::vector<std::string>{"unexpected: a red circle at the top left"});
  EXPECT_LT(verdict.followed, 0.1);
}

TEST(EditVerdict, MovedAwayOrReplacedIsNotRemoved) {
  const EditTask task = task_of("remove the red circle", circle_and_square());
  Scene moved = circle_and_square();
  moved.objects[0].cell = 1;
  Scene replaced = circle_and_square();
  replaced.objects[0].shape = Shape::cross;
  for (const Scene& scene : {moved, replaced}) {
    const EditVerdict verdict = verify_edit(render(scene, World{}), task, World{});
    EXPECT_FALSE(verdict.correct);
    EXPECT_LT(verdict.followed, 0.1);
  }
}

TEST(EditVerdict, AnythingAddedElsewhereThanAskedDoesNotCount) {
  Scene added = circle_and_square();
  added.objects.push_back({Shape::ring, Colour::black, 1});
  const Image image = render(added, World{});
  EXPECT_TRUE(verify_edit(image, task_of("add a black ring", circle_and_square()), World{}).correct);
  EXPECT_TRUE(verify_edit(image, task_of("add a black ring at the top right", circle_and_square()), World{}).correct);
  const EditVerdict elsewhere =
      verify_edit(image, task_of("add a black ring at the bottom left", circle_and_square()), World{});
  EXPECT_FALSE(elsewhere.correct);
  EXPECT_LT(elsewhere.followed, 0.1);
  EXPECT_LT(elsewhere.preserved, 0.2);
}

TEST(EditVerdict, TheLastObjectRemovedLeavesACorrectBlank) {
  const Scene single{.objects = {{Shape::circle, Colour::red, 0}}};
  const EditVerdict verdict = verify_edit(render(Scene{}, World{}), task_of("remove the red circle", single), World{});
  EXPECT_TRUE(verdict.correct);
  EXPECT_GT(verdict.overall(), 0.9);
}

TEST(EditVerdict, ABlankPictureIsWorthLittle) {
  const EditVerdict verdict =
      verify_edit(render(Scene{}, World{}), task_of("remove the red circle", circle_and_square()), World{});
  EXPECT_FALSE(verdict.correct);
  EXPECT_EQ(verdict.overall(), 0);
}

TEST(EditVerdict, OverallIsTheFormOfVieScore) {
  const EditVerdict verdict{.correct = false, .followed = 0.25, .preserved = 0.8, .quality = 0.64, .reasons = {}};
  EXPECT_DOUBLE_EQ(verdict.overall(), std::sqrt(0.25 * 0.64));
}

}  // namespace
}  // namespace diptych::shapes
