#include "diptych/shapes/examples/corpus.h"

#include <set>

#include "diptych/shapes/edits/edit.h"
#include "diptych/shapes/examples/rating.h"
#include "diptych/shapes/examples/visual_question.h"
#include "diptych/shapes/prompts/prompts.h"
#include "diptych/shapes/prompts/thinking.h"
#include "diptych/shapes/reflection/reflection.h"
#include "diptych/shapes/reflection/sample_reflection.h"
#include "diptych/shapes/world/questions.h"

namespace diptych::shapes {

namespace {

constexpr uint64_t kReflections = 2000;
constexpr int kRepeats = 100;  // of texts whose words stand in few others: a pair is merged only if it is frequent

void add_prompt(const Prompt& prompt, std::set<std::string>& texts) {
  texts.insert({prompt.text, reflection_prompt(prompt.text), review_prompt(prompt.text)});
  for (RatingKind kind : {RatingKind::holistic, RatingKind::scalar, RatingKind::semantic})
    texts.insert(rating_question(kind, prompt.text));
  for (const Trace& trace : possible_traces(prompt)) texts.insert({trace.refined, trace.text});
  for (const Question& question : atomic_questions(prompt.request)) texts.insert(question.text);
}

void add_reflections(std::set<std::string>& texts) {
  for (uint64_t index = 0; index < kReflections; ++index) {
    Stream stream({.purpose = Purpose::scene, .sample = index});
    texts.insert({sample_reflection({}, stream).answer, sample_review({}, stream).answer});
  }
}

/** The answers, the questions of quality, which are the same for every prompt, and the edits of the background. */
std::vector<std::string> lonely_texts() {
  std::vector<std::string> texts = {std::string(answer_text(false)), std::string(answer_text(true))};
  for (const Question& question : atomic_questions({{Clause{}}, {}}))
    if (question.kind == "quality") texts.push_back(question.text);
  texts.push_back(rating_question(RatingKind::quality, ""));
  for (RatingKind kind : {RatingKind::scalar, RatingKind::semantic})
    for (std::string& answer : rating_answers(kind)) texts.push_back(std::move(answer));
  for (const Edit& edit : all_edits(EditKind::background))
    for (std::string& wording : wordings(edit)) texts.push_back(std::move(wording));
  return texts;
}

}  // namespace

std::vector<std::string> tokenizer_corpus() {
  std::set<std::string> texts;
  for (const bool implicit : {false, true})
    for (const std::string& family : families(implicit))
      for (const Prompt& prompt : enumerate_family(family)) add_prompt(prompt, texts);
  for (size_t kind = 0; kind < kEditKindNames.size(); ++kind)
    for (const Edit& edit : all_edits(static_cast<EditKind>(kind)))
      for (std::string& wording : wordings(edit)) texts.insert(std::move(wording));
  add_reflections(texts);
  std::vector<std::string> corpus(texts.begin(), texts.end());
  for (const std::string& text : lonely_texts()) corpus.insert(corpus.end(), kRepeats, text);
  return corpus;
}

}  // namespace diptych::shapes
