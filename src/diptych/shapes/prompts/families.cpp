#include <algorithm>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/shapes/prompts/facts.h"
#include "diptych/shapes/prompts/prompts.h"
#include "diptych/shapes/world/caption.h"

namespace diptych::shapes {

namespace {

constexpr int kShapes = static_cast<int>(kShapeNames.size());
constexpr int kColours = static_cast<int>(kColourNames.size());
constexpr int kRelations = static_cast<int>(kRelationNames.size());
constexpr std::array<std::string_view, 4> kSideWords = {"to its left", "to its right", "above it", "below it"};

Clause clause_of(int shape, std::optional<Colour> colour = std::nullopt, int count = 1) {
  return {static_cast<Shape>(shape), colour, count};
}

/** An explicit prompt: the text is the caption itself. */
Prompt explicit_prompt(std::string_view family, const Request& request) {
  return {.text = cat("a photo of ", caption(request)),
          .family = std::string(family),
          .request = request,
          .refined = caption(request),
          .reasoning = restatement(request)};
}

/** An implicit prompt; `request` needs no value yet for what the fact tells. */
Prompt implicit_prompt(std::string_view family, int fact_id, const std::string& text, const Request& request) {
  const Fact& fact = facts()[fact_id];
  const Request truth = with_answer(request, fact, fact.answer);
  return {.text = cat("a photo of ", text),
          .family = std::string(family),
          .implicit = true,
          .request = truth,
          .refined = caption(truth),
          .reasoning = statement(fact, fact.answer, truth),
          .fact = fact_id};
}

std::vector<Prompt> single_object() {
  std::vector<Prompt> prompts;
  for (int shape = 0; shape < kShapes; ++shape)
    prompts.push_back(explicit_prompt("single_object", {{clause_of(shape)}, {}}));
  return prompts;
}

/** Calls add(subject, reference) for every ordered pair of unlike shapes. */
template <class Add>
void for_each_pair(const Add& add) {
  for (int subject = 0; subject < kShapes; ++subject)
    for (int reference = 0; reference < kShapes; ++reference)
      if (subject != reference) add(clause_of(subject), clause_of(reference));
}

std::vector<Prompt> two_object() {
  std::vector<Prompt> prompts;
  for_each_pair([&](const Clause& a, const Clause& b) {
    prompts.push_back(explicit_prompt("two_object", {{a, b}, {}}));
  });
  return prompts;
}

std::vector<Prompt> counting() {
  std::vector<Prompt> prompts;
  for (int count = 2; count <= 4; ++count)
    for (int shape = 0; shape < kShapes; ++shape)
      prompts.push_back(explicit_prompt("counting", {{clause_of(shape, std::nullopt, count)}, {}}));
  return prompts;
}

std::vector<Prompt> colors() {
  std::vector<Prompt> prompts;
  for (int colour = 0; colour < kColours; ++colour)
    for (int shape = 0; shape < kShapes; ++shape)
      prompts.push_back(explicit_prompt("colors", {{clause_of(shape, static_cast<Colour>(colour))}, {}}));
  return prompts;
}

std::vector<Prompt> position() {
  std::vector<Prompt> prompts;
  for (int relation = 0; relation < kRelations; ++relation)
    for_each_pair([&](const Clause& a, const Clause& b) {
      prompts.push_back(explicit_prompt("position", {{a, b}, Position{0, static_cast<Relation>(relation), 1}}));
    });
  return prompts;
}

std::vector<Prompt> color_attr() {
  std::vector<Prompt> prompts;
  for (int first = 0; first < kShapes * kColours; ++first)
    for (int second = 0; second < kShapes * kColours; ++second) {
      const Clause a = clause_of(first % kShapes, static_cast<Colour>(first / kShapes));
      const Clause b = clause_of(second % kShapes, static_cast<Colour>(second / kShapes));
      if (a.shape != b.shape && a.colour != b.colour) prompts.push_back(explicit_prompt("color_attr", {{a, b}, {}}));
    }
  return prompts;
}

template <class Add>
void for_each_fact(FactKind kind, const Add& add) {
  for (size_t id = 0; id < facts().size(); ++id)
    if (facts()[id].kind == kind) add(static_cast<int>(id), facts()[id]);
}

std::vector<Prompt> implicit_color() {
  std::vector<Prompt> prompts;
  for_each_fact(FactKind::colour, [&](int id, const Fact& fact) {
    for (int shape = 0; shape < kShapes; ++shape) {
      const Clause clause = clause_of(shape);
      prompts.push_back(implicit_prompt("implicit_color", id,
                                        cat(clause_phrase(clause), " in the color of ", fact.thing), {{clause}, {}}));
    }
  });
  return prompts;
}

std::vector<Prompt> implicit_count() {
  std::vector<std::optional<Colour>> colours = {std::nullopt};
  for (int colour = 0; colour < kColours; ++colour) colours.push_back(static_cast<Colour>(colour));
  std::vector<Prompt> prompts;
  for_each_fact(FactKind::count, [&](int id, const Fact& fact) {
    for (const std::optional<Colour>& colour : colours)
      for (int shape = 0; shape < kShapes; ++shape) {
        const Clause clause = clause_of(shape, colour);
        const std::string text = cat("as many ", noun_phrase(clause, true), " as ", fact.thing, " has ", fact.parts);
        prompts.push_back(implicit_prompt("implicit_count", id, text, {{clause}, {}}));
      }
  });
  return prompts;
}

std::vector<Prompt> implicit_shape() {
  std::vector<Prompt> prompts;
  for_each_fact(FactKind::shape, [&](int id, const Fact& fact) {
    for (int colour = 0; colour < kColours; ++colour) {
      const Clause clause{std::nullopt, static_cast<Colour>(colour), 1};
      prompts.push_back(implicit_prompt("implicit_shape", id, cat(clause_phrase(clause), " shaped like ", fact.thing),
                                        {{clause}, {}}));
    }
  });
  return prompts;
}

std::vector<Prompt> reversed_position() {
  std::vector<Prompt> prompts;
  for_each_fact(FactKind::relation, [&](int id, const Fact& fact) {
    for_each_pair([&](const Clause& a, const Clause& b) {
      const std::string text = cat(clause_phrase(b), " that has ", clause_phrase(a), ' ', kSideWords[fact.answer]);
      prompts.push_back(implicit_prompt("reversed_position", id, text, {{a, b}, Position{0, Relation::left_of, 1}}));
    });
  });
  return prompts;
}

struct Family {
  std::string_view name;
  bool implicit;
  std::vector<Prompt> (*enumerate)();
};

constexpr std::array<Family, 10> kFamilies = {{
    {"single_object", false, single_object},
    {"two_object", false, two_object},
    {"counting", false, counting},
    {"colors", false, colors},
    {"position", false, position},
    {"color_attr", false, color_attr},
    {"implicit_color", true, implicit_color},
    {"implicit_count", true, implicit_count},
    {"implicit_shape", true, implicit_shape},
    {"reversed_position", true, reversed_position},
}};

std::vector<std::string> names_of(bool implicit) {
  std::vector<std::string> names;
  for (const Family& family : kFamilies)
    if (family.implicit == implicit) names.emplace_back(family.name);
  return names;
}

}  // namespace

const std::vector<std::string>& families(bool implicit) {
  static const std::array<std::vector<std::string>, 2> names = {names_of(false), names_of(true)};
  return names[implicit ? 1 : 0];
}

const std::vector<std::string>& all_families() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all = families(false);
    all.insert(all.end(), families(true).begin(), families(true).end());
    return all;
  }();
  return names;
}

void check_family(std::string_view name) {
  for (const Family& family : kFamilies)
    if (family.name == name) return;
  throw Error(ExitCode::config,
              {.where = "prompt family", .expected = join(all_families(), ", "), .got = std::string(name), .hint = ""});
}

std::vector<Prompt> enumerate_family(std::string_view name) {
  check_family(name);
  return std::find_if(kFamilies.begin(), kFamilies.end(), [&](const Family& f) { return f.name == name; })->enumerate();
}

}  // namespace diptych::shapes
