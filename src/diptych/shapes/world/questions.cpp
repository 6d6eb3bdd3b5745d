#include "diptych/shapes/world/questions.h"

#include "diptych/base/text_format.h"
#include "diptych/shapes/world/caption.h"

namespace diptych::shapes {

namespace {

std::string relation_words(Relation relation) {
  const bool sideways = relation == Relation::left_of || relation == Relation::right_of;
  return sideways ? cat("to the ", to_string(relation)) : std::string(to_string(relation));
}

}  // namespace

std::vector<Question> atomic_questions(const Request& request) {
  std::vector<Question> questions;
  int semantic = 0;
  const auto ask = [&](Property property, int clause, const std::string& tag, const std::string& text) {
    questions.push_back({cat('s', ++semantic), text, "semantic", tag, property, clause});
  };
  for (size_t index = 0; index < request.clauses.size(); ++index) {
    const Clause& clause = request.clauses[index];
    const int id = static_cast<int>(index);
    const bool plural = clause.count > 1;
    const Clause colourless{clause.shape, std::nullopt, clause.count};
    const std::string noun = noun_phrase(colourless, plural);
    ask(Property::existence, id, "Existence",
        plural ? cat("Are there any ", noun, "?") : cat("Is there ", with_article(noun), "?"));
    if (plural)
      ask(Property::count, id, "Count",
          cat("Are there exactly ", count_word(clause.count), ' ', noun_phrase(clause, true), "?"));
    if (clause.colour)
      ask(Property::colour, id, "Attribute",
          cat(plural ? "Are the " : "Is the ", noun, ' ', to_string(*clause.colour), "?"));
  }
  if (request.position) {
    const Clause& subject = request.clauses.at(request.position->subject);
    const Clause& reference = request.clauses.at(request.position->reference);
    ask(Property::position, -1, "Spatial",
        cat(subject.count > 1 ? "Are the " : "Is the ", noun_phrase(subject, subject.count > 1), ' ',
            relation_words(request.position->relation), " the ", noun_phrase(reference, reference.count > 1), "?"));
  }
  ask(Property::nothing_extra, -1, "Negative",
      cat("Is the picture free of objects other than ", caption(request), "?"));
  questions.push_back({"q1", "Do all objects have clean, sharp outlines?", "quality", "Geometry", Property::sharpness});
  questions.push_back(
      {"q2", "Is every object filled evenly with a single color?", "quality", "Texture", Property::purity});
  return questions;
}

}  // namespace diptych::shapes
