#include "diptych/shapes/prompts/facts.h"

#include "diptych/base/text_format.h"
#include "diptych/shapes/world/caption.h"

namespace diptych::shapes {

namespace {

constexpr int kThingsPerAnswer = 4;

using Things = std::array<const char*, kThingsPerAnswer>;

constexpr std::array<Things, 8> kColourThings = {{
    {"blood", "a cherry", "a tomato", "a ruby"},
    {"a carrot", "a pumpkin", "a mandarin", "a fox"},
    {"a lemon", "a banana", "corn", "a canary"},
    {"grass", "a frog", "a pea", "a leaf"},
    {"the sky", "the sea", "denim", "a sapphire"},
    {"a plum", "a grape", "lavender", "an eggplant"},
    {"coal", "a raven", "tar", "ink"},
    {"a flamingo", "a pig", "salmon", "gum"},
}};

constexpr std::array<Things, 6> kShapeThings = {{
    {"a coin", "a ball", "a plate", "a button"},
    {"a tile", "a box", "a napkin", "a stamp"},
    {"a tent", "a sail", "a nacho", "a pyramid"},
    {"a kite", "a gem", "a jewel", "a rhombus"},
    {"a plus", "a dagger", "a windmill", "a crucifix"},
    {"a donut", "a bagel", "a tire", "a hoop"},
}};

struct Owner {
  const char* thing;
  const char* part;
  const char* parts;
};

constexpr std::array<std::array<Owner, kThingsPerAnswer>, 4> kCountThings = {{
    {{{"a unicycle", "wheel", "wheels"},
      {"a unicorn", "horn", "horns"},
      {"an elephant", "trunk", "trunks"},
      {"a cat", "tail", "tails"}}},
    {{{"a bicycle", "wheel", "wheels"},
      {"a bull", "horn", "horns"},
      {"a bird", "wing", "wings"},
      {"a rabbit", "ear", "ears"}}},
    {{{"a tricycle", "wheel", "wheels"},
      {"a tripod", "leg", "legs"},
      {"a trident", "prong", "prongs"},
      {"a clover", "leaf", "leaves"}}},
    {{{"a car", "wheel", "wheels"},
      {"a table", "leg", "legs"},
      {"a butterfly", "wing", "wings"},
      {"a violin", "string", "strings"}}},
}};

// Indexed by the right answer; counts start at one.
constexpr std::array<std::array<Colour, 2>, 8> kColourConfusions = {{
    {Colour::orange, Colour::pink},
    {Colour::red, Colour::yellow},
    {Colour::orange, Colour::green},
    {Colour::blue, Colour::yellow},
    {Colour::purple, Colour::green},
    {Colour::pink, Colour::blue},
    {Colour::purple, Colour::blue},
    {Colour::red, Colour::purple},
}};
constexpr std::array<std::array<Shape, 2>, 6> kShapeConfusions = {{
    {Shape::ring, Shape::square},
    {Shape::diamond, Shape::circle},
    {Shape::diamond, Shape::square},
    {Shape::square, Shape::triangle},
    {Shape::diamond, Shape::triangle},
    {Shape::circle, Shape::cross},
}};
constexpr std::array<std::array<int, 2>, 4> kCountConfusions = {{{2, 3}, {3, 4}, {2, 4}, {3, 2}}};
constexpr std::array<std::array<Relation, 2>, 4> kRelationConfusions = {{
    {Relation::right_of, Relation::above},
    {Relation::left_of, Relation::below},
    {Relation::below, Relation::left_of},
    {Relation::above, Relation::right_of},
}};

template <class Answer>
std::array<int, 2> numbers(const std::array<Answer, 2>& answers) {
  return {static_cast<int>(answers[0]), static_cast<int>(answers[1])};
}

std::vector<Fact> make_facts() {
  std::vector<Fact> list;
  for (int colour = 0; colour < static_cast<int>(kColourThings.size()); ++colour)
    for (const char* thing : kColourThings[colour])
      list.push_back({.kind = FactKind::colour, .answer = colour, .thing = thing});
  for (int count = 1; count <= 4; ++count)
    for (const Owner& owner : kCountThings[count - 1])
      list.push_back(
          {.kind = FactKind::count, .answer = count, .thing = owner.thing, .part = owner.part, .parts = owner.parts});
  for (int shape = 0; shape < static_cast<int>(kShapeThings.size()); ++shape)
    for (const char* thing : kShapeThings[shape])
      list.push_back({.kind = FactKind::shape, .answer = shape, .thing = thing});
  for (int relation = 0; relation < static_cast<int>(kRelationNames.size()); ++relation)
    list.push_back({.kind = FactKind::relation, .answer = relation});
  // Things with one answer are neighbours in the list, so every answer has as many well-known things as doubtful ones.
  for (size_t id = 0; id < list.size(); ++id) list[id].reliability = id % 2 == 0 ? 0.85 : 0.35;
  return list;
}

}  // namespace

std::array<int, 2> confusions(FactKind kind, int answer) {
  switch (kind) {
    case FactKind::colour:
      return numbers(kColourConfusions[answer]);
    case FactKind::count:
      return kCountConfusions[answer - 1];
    case FactKind::shape:
      return numbers(kShapeConfusions[answer]);
    case FactKind::relation:
      return numbers(kRelationConfusions[answer]);
  }
  return {};
}

const std::vector<Fact>& facts() {
  static const std::vector<Fact> list = make_facts();
  return list;
}

Request with_answer(Request request, const Fact& fact, int answer) {
  switch (fact.kind) {
    case FactKind::colour:
      request.clauses.at(0).colour = static_cast<Colour>(answer);
      break;
    case FactKind::count:
      request.clauses.at(0).count = answer;
      break;
    case FactKind::shape:
      request.clauses.at(0).shape = static_cast<Shape>(answer);
      break;
    case FactKind::relation:
      request.position.value().relation = static_cast<Relation>(answer);
      break;
  }
  return request;
}

std::string statement(const Fact& fact, int answer, const Request& request) {
  switch (fact.kind) {
    case FactKind::colour:
      return cat(fact.thing, " is ", to_string(static_cast<Colour>(answer)), " .");
    case FactKind::count:
      return cat(fact.thing, " has ", count_word(answer), ' ', answer == 1 ? fact.part : fact.parts, " .");
    case FactKind::shape:
      return cat(fact.thing, " is shaped like ", with_article(std::string(to_string(static_cast<Shape>(answer)))),
                 " .");
    case FactKind::relation: {
      const Position& position = request.position.value();
      return cat("the ", noun_phrase(request.clauses.at(position.subject), false), " is ",
                 to_string(static_cast<Relation>(answer)), " the ",
                 noun_phrase(request.clauses.at(position.reference), false), " .");
    }
  }
  return {};
}

}  // namespace diptych::shapes
