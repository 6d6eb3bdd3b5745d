#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "diptych/base/error.h"
#include "diptych/shapes/edits/edit.h"

namespace diptych::shapes {
namespace {

constexpr std::array kSplits = {Split::train, Split::validation, Split::test};
constexpr int kTasks = 1500;

EditKind kind_of(size_t index) {
  return static_cast<EditKind>(index % kEditKindNames.size());
}

std::vector<EditTask> tasks_of(Split split, EditKind kind, int count = kTasks) {
  Stream stream({.seed = 5, .prompt = static_cast<uint64_t>(split), .sample = static_cast<uint64_t>(kind)});
  std::vector<EditTask> tasks;
  for (int index = 0; index < count; ++index) tasks.push_back(sample_edit(stream, split, kind, World{}));
  return tasks;
}

void expect_unlike(const Scene& scene) {
  std::set<std::pair<Shape, Colour>> looks;
  std::set<int> cells;
  for (const Object& object : scene.objects) {
    EXPECT_TRUE(looks.emplace(object.shape, object.colour).second);
    EXPECT_TRUE(cells.insert(object.cell).second);
  }
}

bool equal(const EditTask& a, const EditTask& b) {
  const auto same = [](const Object& x, const Object& y) {
    return x.shape == y.shape && x.colour == y.colour && x.cell == y.cell && x.offset_x == y.offset_x &&
           x.offset_y == y.offset_y && x.size == y.size;
  };
  return a.edit == b.edit && a.text == b.text && a.source.background == b.source.background &&
         std::equal(a.source.objects.begin(), a.source.objects.end(), b.source.objects.begin(), b.source.objects.end(),
                    same);
}

TEST(EditTasks, ApplyAndAreUnambiguousBeforeAndAfter) {
  for (size_t kind = 0; kind < kEditKindNames.size(); ++kind)
    for (const Split split : kSplits) {
      Stream stream({.seed = 6});
      for (const EditTask& task : tasks_of(split, kind_of(kind), 500)) {
        ASSERT_EQ(task.edit.kind, kind_of(kind));
        ASSERT_TRUE(applicable(task.edit, task.source, World{})) << task.text;
        EXPECT_EQ(split_of(task), split);
        const std::vector<std::string> texts = wordings(task.edit);
        EXPECT_NE(std::find(texts.begin(), texts.end(), task.text), texts.end());
        EXPECT_GE(task.source.objects.size(), 1u);
        EXPECT_LE(task.source.objects.size(), 4u);
        expect_unlike(task.source);
        expect_unlike(apply_edit(task.edit, task.source, World{}, stream));
      }
    }
}

TEST(EditTasks, SplitsSayDifferentThings) {
  for (size_t kind = 0; kind < kEditKindNames.size(); ++kind) {
    if (kind_of(kind) == EditKind::background) continue;
    std::map<std::string, Split> owners;
    for (const Split split : kSplits)
      for (const EditTask& task : tasks_of(split, kind_of(kind)))
        EXPECT_EQ(owners.emplace(instruction(task.edit), split).first->second, split) << task.text;
  }
}

TEST(EditTasks, SplitsPutDifferentObjectsBeforeABackground) {
  std::map<std::pair<Background, std::multiset<std::pair<Shape, Colour>>>, Split> owners;
  for (const Split split : kSplits)
    for (const EditTask& task : tasks_of(split, EditKind::background)) {
      std::multiset<std::pair<Shape, Colour>> looks;
      for (const Object& object : task.source.objects) looks.emplace(object.shape, object.colour);
      EXPECT_EQ(owners.emplace(std::pair{task.edit.background, looks}, split).first->second, split);
    }
}

TEST(EditTasks, SplitsHoldTheirShareOfEveryKind) {
  for (size_t kind = 0; kind < kEditKindNames.size(); ++kind) {
    if (kind_of(kind) == EditKind::background) continue;
    std::map<Split, double> share;
    const std::vector<Edit>& edits = all_edits(kind_of(kind));
    for (const Edit& edit : edits) share[split_of({.edit = edit, .text = {}, .source = {}})] += 1.0 / edits.size();
    EXPECT_NEAR(share[Split::train], 0.7, 0.1) << kEditKindNames[kind];
    EXPECT_NEAR(share[Split::validation], 0.15, 0.08) << kEditKindNames[kind];
    EXPECT_NEAR(share[Split::test], 0.15, 0.08) << kEditKindNames[kind];
  }
}

TEST(EditTasks, TrainingShowsEveryWord) {
  std::set<std::pair<EditKind, std::pair<Shape, Colour>>> made;
  std::set<Background> backgrounds;
  std::set<Size> sizes;
  std::set<std::pair<EditKind, int>> cells;
  for (const EditKind kind : {EditKind::add, EditKind::move, EditKind::replace, EditKind::resize, EditKind::background})
    for (const EditTask& task : tasks_of(Split::train, kind)) {
      if (kind == EditKind::background) backgrounds.insert(task.edit.background);
      if (kind == EditKind::resize) sizes.insert(task.edit.size);
      if (kind == EditKind::add || kind == EditKind::move) cells.emplace(kind, task.edit.cell);
      if (kind == EditKind::add) made.insert({kind, {task.edit.shape, task.edit.colour}});
      if (kind == EditKind::replace) made.insert({kind, {task.edit.new_shape, task.edit.new_colour}});
    }
  EXPECT_EQ(made.size(), 2 * kShapeNames.size() * kColourNames.size());
  EXPECT_EQ(backgrounds.size(), kBackgroundNames.size());
  EXPECT_EQ(sizes.size(), kSizeNames.size());
  EXPECT_EQ(cells.size(), 5u + 4u);
}

TEST(EditTasks, MostSourcesArePlainAndOfNormalSize) {
  for (size_t kind = 0; kind < kEditKindNames.size(); ++kind) {
    double plain = 0, small = 0, objects = 0;
    for (const EditTask& task : tasks_of(Split::train, kind_of(kind))) {
      plain += task.source.background == Background::plain;
      for (const Object& object : task.source.objects) small += object.size == Size::small;
      objects += task.source.objects.size();
    }
    EXPECT_GT(plain / kTasks, 0.5) << kEditKindNames[kind];
    EXPECT_LT(plain / kTasks, 0.95) << kEditKindNames[kind];
    EXPECT_GT(small / objects, 0.08) << kEditKindNames[kind];
    EXPECT_LT(small / objects, 0.4) << kEditKindNames[kind];
  }
}

TEST(EditTasks, EqualStreamsGiveEqualTasks) {
  for (size_t kind = 0; kind < kEditKindNames.size(); ++kind) {
    const std::vector<EditTask> first = tasks_of(Split::validation, kind_of(kind), 50);
    EXPECT_TRUE(std::equal(first.begin(), first.end(), tasks_of(Split::validation, kind_of(kind), 50).begin(), equal));
  }
}

TEST(EditTasks, PoolsAreBalancedAndBeginAlike) {
  const std::vector<EditTask> pool = edit_pool(Split::test, 70, 3, World{});
  ASSERT_EQ(pool.size(), 70u);
  for (size_t index = 0; index < pool.size(); ++index) {
    EXPECT_EQ(pool[index].edit.kind, kind_of(index));
    EXPECT_EQ(split_of(pool[index]), Split::test);
  }
  const std::vector<EditTask> shorter = edit_pool(Split::test, 20, 3, World{});
  EXPECT_TRUE(std::equal(shorter.begin(), shorter.end(), pool.begin(), equal));
  const std::vector<EditTask> other = edit_pool(Split::test, 20, 4, World{});
  EXPECT_FALSE(std::equal(shorter.begin(), shorter.end(), other.begin(), equal));
}

TEST(EditTasks, PlacesHaveNamesInWorldsOfTwoByTwoCells) {
  Stream stream({.seed = 1});
  EXPECT_THROW(sample_edit(stream, Split::train, EditKind::add, World{.canvas = 64, .cells = 4}), Error);
}

}  // namespace
}  // namespace diptych::shapes
