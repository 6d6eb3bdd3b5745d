#include <algorithm>
#include <cmath>

#include "diptych/base/text_format.h"
#include "diptych/shapes/edits/edit.h"
#include "diptych/shapes/verify/detect.h"
#include "diptych/shapes/verify/verify.h"
#include "diptych/shapes/world/caption.h"
#include "diptych/shapes/world/questions.h"

namespace diptych::shapes {

namespace {

constexpr double kKnown = 0.5;     // smallest confidence of a known object or background, as in verify
constexpr double kSlack = 0.25;    // cell sides beyond its cell at which an object's place is worth nothing
constexpr double kExtraDecay = 2;  // exp(-kExtraDecay) of what is preserved is left after one extra object

/** An object that must be found in one of the cells. */
struct Item {
  Object object;
  std::vector<int> cells;
};

/** What the edited picture must show, and nothing else. */
struct Expectation {
  std::vector<Item> kept;
  std::optional<Item> made;     // what the edit adds or changes
  std::optional<Item> vacated;  // what it takes away from there
  Background background = Background::plain;
};

Expectation expect(const EditTask& task, const World& world) {
  const Edit& edit = task.edit;
  Stream stream({.purpose = Purpose::scene});  // decides on nothing that is looked at below
  const Scene after = apply_edit(edit, task.source, world, stream);
  Expectation expectation{.kept = {}, .made = {}, .vacated = {}, .background = after.background};
  size_t changed = task.source.objects.size();  // index; none yet
  if (edit.kind != EditKind::add && edit.kind != EditKind::background)
    changed = find_object(task.source, edit.shape, edit.colour).value();
  for (size_t index = 0; index < task.source.objects.size(); ++index) {
    const Object& object = task.source.objects[index];
    if (index != changed)
      expectation.kept.push_back({object, {object.cell}});
    else if (edit.kind == EditKind::remove || edit.kind == EditKind::move)
      expectation.vacated = {object, {object.cell}};
  }
  if (edit.kind == EditKind::add)
    expectation.made = {after.objects.back(),
                        edit.cell < 0 ? free_cells(task.source, world) : std::vector<int>{edit.cell}};
  else if (changed < after.objects.size() && edit.kind != EditKind::remove)
    expectation.made = {after.objects[changed], {after.objects[changed].cell}};
  return expectation;
}

int cell_of(const Detection& detection, const World& world) {
  const auto index = [&](double place) {
    return std::clamp(static_cast<int>(std::floor(place * world.cells / world.canvas)), 0, world.cells - 1);
  };
  return index(detection.y) * world.cells + index(detection.x);
}

std::string sized_name(Size size, Shape shape, Colour colour) {
  return with_article(cat(size == Size::small ? "small " : "", noun_phrase({shape, colour}, false)));
}

std::string name(const Detection& detection) {
  if (detection.confidence < kKnown) return "an unknown object";
  return sized_name(detection.size, detection.shape, detection.colour);
}

bool is(const Detection& detection, const Object& object) {
  return detection.confidence >= kKnown && detection.shape == object.shape && detection.colour == object.colour &&
         detection.size == object.size;
}

/** Strikes the item's detection off the list; else tells what is wrong, and strikes off what is there instead. */
void check_item(const Item& item, const World& world, std::vector<Detection>& left, std::vector<std::string>& faults) {
  const auto in_place = [&](const Detection& detection) {
    return std::find(item.cells.begin(), item.cells.end(), cell_of(detection, world)) != item.cells.end();
  };
  const auto found = std::find_if(left.begin(), left.end(), [&](const Detection& detection) {
    return in_place(detection) && is(detection, item.object);
  });
  if (found != left.end()) {
    left.erase(found);
    return;
  }
  const auto instead = std::find_if(left.begin(), left.end(), in_place);
  const std::string place =
      item.cells.size() == 1 ? cat("at the ", place_words(item.cells.front())) : "in a free place";
  faults.push_back(cat("expected ", sized_name(item.object.size, item.object.shape, item.object.colour), ' ', place,
                       ", found ", instead == left.end() ? "nothing" : name(*instead)));
  if (instead != left.end()) left.erase(instead);
}

std::vector<std::string> find_faults(const Expectation& expectation, const std::vector<Detection>& detections,
                                     const BackgroundDetection& background, const World& world) {
  std::vector<std::string> faults;
  std::vector<Detection> left = detections;
  if (expectation.made) check_item(*expectation.made, world, left, faults);
  for (const Item& item : expectation.kept) check_item(item, world, left, faults);
  for (const Detection& detection : left)
    faults.push_back(cat("unexpected: ", name(detection), " at the ", place_words(cell_of(detection, world))));
  const auto background_name = [](Background found) { return kBackgroundNames[static_cast<size_t>(found)]; };
  if (background.background != expectation.background || background.confidence < kKnown)
    faults.push_back(cat("expected the ", background_name(expectation.background), " background, found ",
                         background.confidence < kKnown ? "an unknown one" : background_name(background.background)));
  return faults;
}

/** 1 in the best of the cells, falling to 0 at kSlack beyond. */
double place_score(const Detection& detection, const std::vector<int>& cells, const World& world) {
  const double side = static_cast<double>(world.canvas) / world.cells;
  double best = 0;
  for (const int cell : cells) {
    const double x = std::abs(detection.x / side - (cell % world.cells + 0.5));
    const double y = std::abs(detection.y / side - (cell / world.cells + 0.5));
    best = std::max(best, std::clamp(1 - (std::max(x, y) - 0.5) / kSlack, 0.0, 1.0));
  }
  return best;
}

double look_score(const Detection& detection, Shape shape, Colour colour) {
  return detection.shape_scores[static_cast<size_t>(shape)] * detection.colour_scores[static_cast<size_t>(colour)];
}

double match_score(const Detection& detection, const Item& item, const World& world) {
  return look_score(detection, item.object.shape, item.object.colour) *
         detection.size_scores[static_cast<size_t>(item.object.size)] * place_score(detection, item.cells, world);
}

/** Specks weigh less than whole objects, of which the smallest weighs 1. */
double edit_weight(const Detection& detection) {
  const double share = detection.scale / kSizeScale[static_cast<size_t>(Size::small)];
  return std::min(1.0, share * share);
}

/** Largest score over the detections; 0 if there are none. */
template <class Score>
double best_score(const std::vector<Detection>& detections, const Score& score) {
  double best = 0;
  for (const Detection& detection : detections) best = std::max(best, score(detection));
  return best;
}

double followed_score(const Edit& edit, const Expectation& expectation, const std::vector<Detection>& detections,
                      const BackgroundDetection& background, const World& world) {
  if (edit.kind == EditKind::background) return background.scores[static_cast<size_t>(edit.background)];
  double score = 1;
  if (expectation.made)
    score *= best_score(detections, [&](const Detection& d) { return match_score(d, *expectation.made, world); });
  if (expectation.vacated)
    score *= 1 - best_score(detections, [&](const Detection& d) {
               return edit_weight(d) * place_score(d, expectation.vacated->cells, world);
             });
  // What was only pushed aside is not removed.
  if (edit.kind == EditKind::remove)
    score *= 1 - best_score(detections, [&](const Detection& d) { return look_score(d, edit.shape, edit.colour); });
  return score;
}

/** Weight of the objects beyond one at every place where something is kept, made or taken away. */
double extra_weight(const Expectation& expectation, const std::vector<Detection>& detections, const World& world) {
  std::vector<Item> items = expectation.kept;
  if (expectation.made) items.push_back(*expectation.made);
  if (expectation.vacated) items.push_back(*expectation.vacated);
  std::vector<double> explained(detections.size(), 0.0);
  for (const Item& item : items) {
    double best_rank = 0;
    size_t best = 0;
    for (size_t index = 0; index < detections.size(); ++index) {
      // The right object comes before another one at the place.
      const double rank =
          place_score(detections[index], item.cells, world) + match_score(detections[index], item, world);
      if (rank <= best_rank) continue;
      best_rank = rank;
      best = index;
    }
    if (best_rank > 0) explained[best] = std::max(explained[best], place_score(detections[best], item.cells, world));
  }
  double extra = 0;
  for (size_t index = 0; index < detections.size(); ++index)
    extra += edit_weight(detections[index]) * (1 - explained[index]);
  return extra;
}

double preserved_score(const Edit& edit, const Expectation& expectation, const std::vector<Detection>& detections,
                       const BackgroundDetection& background, const World& world) {
  std::vector<double> scores;
  for (const Item& item : expectation.kept)
    scores.push_back(best_score(detections, [&](const Detection& d) { return match_score(d, item, world); }));
  if (edit.kind != EditKind::background)
    scores.push_back(background.scores[static_cast<size_t>(expectation.background)]);
  double sum = 0;
  for (const double score : scores) sum += score;
  const double mean = scores.empty() ? 1 : sum / scores.size();
  return mean * std::exp(-kExtraDecay * extra_weight(expectation, detections, world));
}

double quality_score(const Expectation& expectation, const std::vector<Detection>& detections) {
  if (detections.empty()) return expectation.kept.empty() && !expectation.made ? 1 : 0;
  Question sharpness, purity;
  sharpness.property = Property::sharpness;
  purity.property = Property::purity;
  return (soft_answer(sharpness, {}, detections) + soft_answer(purity, {}, detections)) / 2;
}

}  // namespace

double EditVerdict::overall() const {
  return std::sqrt(std::min(followed, preserved) * quality);
}

EditVerdict verify_edit(const Image& image, const EditTask& task, const World& world) {
  const Expectation expectation = expect(task, world);
  const std::vector<Detection> detections = detect(image, world);
  const BackgroundDetection background = detect_background(image);
  EditVerdict verdict;
  verdict.reasons = find_faults(expectation, detections, background, world);
  verdict.correct = verdict.reasons.empty();
  verdict.followed = followed_score(task.edit, expectation, detections, background, world);
  verdict.preserved = preserved_score(task.edit, expectation, detections, background, world);
  verdict.quality = quality_score(expectation, detections);
  return verdict;
}

}  // namespace diptych::shapes
