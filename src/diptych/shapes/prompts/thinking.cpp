#include "diptych/shapes/prompts/thinking.h"

#include "diptych/base/text_format.h"
#include "diptych/shapes/prompts/facts.h"
#include "diptych/shapes/world/caption.h"

namespace diptych::shapes {

namespace {

Trace make_trace(const std::string& reasoning, const Request& request, bool correct) {
  const std::string refined = caption(request);
  return {cat("<think> ", reasoning, " </think> ", refined), reasoning, request, refined, correct};
}

bool shapes_differ(const Request& request) {
  for (size_t a = 0; a < request.clauses.size(); ++a)
    for (size_t b = 0; b < a; ++b)
      if (request.clauses[a].shape == request.clauses[b].shape) return false;
  return true;
}

/** Requests with one word mistaken; clauses can still be told apart by their shapes. */
std::vector<Request> misreadings(const Request& request) {
  std::vector<Request> results;
  const auto add = [&](FactKind kind, int answer, const auto& set) {
    for (const int wrong : confusions(kind, answer)) {
      Request copy = request;
      set(copy, wrong);
      if (shapes_differ(copy)) results.push_back(copy);
    }
  };
  for (size_t index = 0; index < request.clauses.size(); ++index) {
    const Clause& clause = request.clauses[index];
    if (clause.shape)
      add(FactKind::shape, static_cast<int>(*clause.shape),
          [=](Request& copy, int wrong) { copy.clauses[index].shape = static_cast<Shape>(wrong); });
    if (clause.colour)
      add(FactKind::colour, static_cast<int>(*clause.colour),
          [=](Request& copy, int wrong) { copy.clauses[index].colour = static_cast<Colour>(wrong); });
    if (clause.count > 1)
      add(FactKind::count, clause.count, [=](Request& copy, int wrong) { copy.clauses[index].count = wrong; });
  }
  if (request.position)
    add(FactKind::relation, static_cast<int>(request.position->relation),
        [](Request& copy, int wrong) { copy.position->relation = static_cast<Relation>(wrong); });
  return results;
}

}  // namespace

std::vector<Trace> possible_traces(const Prompt& prompt) {
  std::vector<Trace> traces = {make_trace(prompt.reasoning, prompt.request, true)};
  if (prompt.fact < 0) {
    for (const Request& wrong : misreadings(prompt.request))
      traces.push_back(make_trace(restatement(wrong), wrong, false));
    return traces;
  }
  const Fact& fact = facts()[prompt.fact];
  for (const int answer : confusions(fact.kind, fact.answer))
    traces.push_back(
        make_trace(statement(fact, answer, prompt.request), with_answer(prompt.request, fact, answer), false));
  return traces;
}

Trace sample_trace(const Prompt& prompt, Stream& stream) {
  const double reliability = prompt.fact < 0 ? kExplicitReliability : facts()[prompt.fact].reliability;
  const std::vector<Trace> traces = possible_traces(prompt);
  if (stream.uniform() < reliability) return traces[0];
  return traces[1 + stream.below(traces.size() - 1)];
}

}  // namespace diptych::shapes
