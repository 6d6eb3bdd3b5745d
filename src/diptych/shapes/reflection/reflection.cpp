#include "diptych/shapes/reflection/reflection.h"

#include <algorithm>
#include <cassert>

#include "diptych/base/ascii.h"
#include "diptych/base/text_format.h"
#include "diptych/shapes/verify/truth.h"
#include "diptych/shapes/world/caption.h"

namespace diptych::shapes {

namespace {

constexpr std::string_view kBlanks = " \n\t";
constexpr std::string_view kOpen = "<think>";
constexpr std::string_view kClose = "</think>";
constexpr std::string_view kShows = "the picture shows ";
constexpr std::string_view kNeeds = " it needs ";
constexpr std::string_view kStop = " .";
constexpr std::string_view kNothing = "nothing";
constexpr std::string_view kBetweenEdits = " , ";

struct Parts {
  std::string_view reasoning;
  std::string_view answer;
};

std::optional<Parts> split(std::string_view text) {
  text = trimmed(text, kBlanks);
  const size_t close = text.find(kClose);
  if (!text.starts_with(kOpen) || close == text.npos) return std::nullopt;
  const std::string_view reasoning = text.substr(kOpen.size(), close - kOpen.size());
  const std::string_view answer = text.substr(close + kClose.size());
  if (reasoning.find(kOpen) != text.npos || answer.find(kOpen) != text.npos || answer.find(kClose) != text.npos)
    return std::nullopt;
  return Parts{trimmed(reasoning, kBlanks), trimmed(answer, kBlanks)};
}

/** The request between the end of `before` and the next stop. */
std::optional<Request> request_after(std::string_view text, std::string_view before) {
  const size_t found = text.rfind(before);
  if (found == text.npos) return std::nullopt;
  const std::string_view rest = text.substr(found + before.size());
  const size_t stop = rest.find(kStop);
  if (stop == rest.npos) return std::nullopt;
  const std::string_view words = rest.substr(0, stop);
  return words == kNothing ? Request{} : parse_caption(words);
}

/** False if a part of the answer is no edit. */
bool read_edits(std::string_view answer, std::vector<Edit>& edits) {
  bool all = true;
  while (!answer.empty()) {
    const size_t comma = std::min(answer.find(kBetweenEdits), answer.size());
    const std::optional<Edit> edit = parse_instruction(answer.substr(0, comma));
    if (edit) edits.push_back(*edit);
    all = all && edit;
    answer.remove_prefix(std::min(comma + kBetweenEdits.size(), answer.size()));
  }
  return all;
}

/** The position of two objects, the first of which is the subject. */
Position position_of(const Object& subject, const Object& reference, const Request& request, const World& world) {
  const auto holds = [&](Relation relation) {
    return relation_holds(relation, box_of(subject, world), box_of(reference, world));
  };
  if (holds(request.position->relation)) return {0, request.position->relation, 1};
  for (const Relation relation : {Relation::left_of, Relation::right_of, Relation::above, Relation::below})
    if (holds(relation)) return {0, relation, 1};
  return {0, Relation::left_of, 1};
}

}  // namespace

std::string reflection_prompt(std::string_view prompt) {
  return cat("this picture was made for : ", prompt, " . it is wrong . say what is wrong and repair it .");
}

std::string review_prompt(std::string_view prompt) {
  return cat("this picture was made for : ", prompt, " . check it . repair it or say ", kDone, " .");
}

Request describe(const Scene& scene, const Request& request, const World& world) {
  std::vector<Object> objects = scene.objects;
  std::sort(objects.begin(), objects.end(), [](const Object& a, const Object& b) { return a.cell < b.cell; });
  const bool with_position = request.position && objects.size() == 2;
  if (with_position && !answers_to(objects[0], request.clauses.at(request.position->subject)) &&
      (answers_to(objects[1], request.clauses.at(request.position->subject)) ||
       answers_to(objects[0], request.clauses.at(request.position->reference))))
    std::swap(objects[0], objects[1]);
  Request shown;
  for (const Object& object : objects) {
    const auto same = std::find_if(shown.clauses.begin(), shown.clauses.end(),
                                   [&](const Clause& clause) { return answers_to(object, clause); });
    if (same == shown.clauses.end()) {
      shown.clauses.push_back({object.shape, object.colour, 1});
    } else {
      ++same->count;
    }
  }
  if (with_position && shown.clauses.size() == 2) shown.position = position_of(objects[0], objects[1], request, world);
  return shown;
}

std::string reflection_text(const Request& shown, std::string_view fact, const Request& wanted,
                            const std::vector<Edit>& edits) {
  assert(edits.size() <= kMostWrittenEdits);
  std::vector<std::string> instructions;
  for (const Edit& edit : edits) instructions.push_back(instruction(edit));
  return cat(kOpen, ' ', kShows, shown.clauses.empty() ? std::string(kNothing) : counted_caption(shown), kStop,
             fact.empty() ? "" : " ", fact, kNeeds, counted_caption(wanted), kStop, ' ', kClose, ' ',
             edits.empty() ? std::string(kDone) : join(instructions, kBetweenEdits));
}

Reflection parse_reflection(std::string_view text) {
  Reflection reflection;
  const std::optional<Parts> parts = split(text);
  if (!parts) return reflection;
  reflection.shown = request_after(parts->reasoning, kShows);
  reflection.wanted = request_after(parts->reasoning, kNeeds);
  reflection.done = parts->answer == kDone;
  const bool readable = reflection.done || read_edits(parts->answer, reflection.edits);
  const bool length_is_right =
      reflection.done || (!reflection.edits.empty() && reflection.edits.size() <= kMostWrittenEdits);
  reflection.well_formed = reflection.shown && reflection.wanted && readable && length_is_right;
  return reflection;
}

bool says_done(std::string_view text) {
  const std::optional<Parts> parts = split(text);
  return parts && parts->answer == kDone;
}

}  // namespace diptych::shapes
