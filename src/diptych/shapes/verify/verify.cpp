#include "diptych/shapes/verify/verify.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "diptych/base/text_format.h"
#include "diptych/shapes/world/caption.h"

namespace diptych::shapes {

namespace {

constexpr double kKnownObject = 0.5;  // smallest confidence

bool answers_to(const Detection& detection, const Clause& clause) {
  return detection.confidence >= kKnownObject && (!clause.shape || *clause.shape == detection.shape) &&
         (!clause.colour || *clause.colour == detection.colour);
}

bool position_holds(const Position& position, const std::vector<Detection>& detections,
                    const std::vector<int>& clause_of) {
  for (size_t subject = 0; subject < detections.size(); ++subject) {
    if (clause_of[subject] != position.subject) continue;
    for (size_t reference = 0; reference < detections.size(); ++reference)
      if (clause_of[reference] == position.reference && reference != subject &&
          !relation_holds(position.relation, detections[subject].box, detections[reference].box))
        return false;
  }
  return true;
}

/** What the best way of dealing out the detections achieves. */
enum class Deal { impossible, misplaced, correct };

/** Deals out detections from the `next` one on; `vacancies` are the open places of each clause. */
Deal deal_out(const Request& request, const std::vector<Detection>& detections, size_t next,
              std::vector<int>& vacancies, std::vector<int>& clause_of) {
  if (next == detections.size())
    return !request.position || position_holds(*request.position, detections, clause_of) ? Deal::correct
                                                                                         : Deal::misplaced;
  Deal best = Deal::impossible;
  for (size_t clause = 0; clause < request.clauses.size() && best != Deal::correct; ++clause) {
    if (vacancies[clause] == 0 || !answers_to(detections[next], request.clauses[clause])) continue;
    --vacancies[clause];
    clause_of[next] = static_cast<int>(clause);
    best = std::max(best, deal_out(request, detections, next + 1, vacancies, clause_of));
    ++vacancies[clause];
  }
  return best;
}

Deal decide(const Request& request, const std::vector<Detection>& detections) {
  std::vector<int> vacancies;
  for (const Clause& clause : request.clauses) vacancies.push_back(clause.count);
  if (std::accumulate(vacancies.begin(), vacancies.end(), size_t{0}) != detections.size()) return Deal::impossible;
  std::vector<int> clause_of(detections.size(), -1);
  return deal_out(request, detections, 0, vacancies, clause_of);
}

std::string place(const Detection& detection) {
  return cat("at (", std::lround(detection.x), ", ", std::lround(detection.y), ')');
}

std::vector<std::string> explain(const Request& request, const std::vector<Detection>& detections, Deal deal,
                                 Background background) {
  std::vector<std::string> reasons;
  if (background != Background::plain)
    reasons.push_back(cat("expected the plain background, found ", kBackgroundNames[static_cast<size_t>(background)]));
  if (deal == Deal::correct) return reasons;
  for (const Clause& clause : request.clauses) {
    const long found = std::count_if(detections.begin(), detections.end(),
                                     [&](const Detection& detection) { return answers_to(detection, clause); });
    if (found != clause.count)
      reasons.push_back(cat("expected ", clause.count, ' ', noun_phrase(clause, clause.count != 1), ", found ", found));
  }
  for (const Detection& detection : detections) {
    if (detection.confidence < kKnownObject)
      reasons.push_back(cat(detection.size == Size::small ? "small" : "unknown", " object ", place(detection)));
    else if (std::none_of(request.clauses.begin(), request.clauses.end(),
                          [&](const Clause& clause) { return answers_to(detection, clause); }))
      reasons.push_back(
          cat("unexpected ", noun_phrase({detection.shape, detection.colour}, false), ' ', place(detection)));
  }
  if (deal == Deal::misplaced) {
    const Position& position = *request.position;
    const auto name = [&](int clause) {
      return noun_phrase(request.clauses.at(clause), request.clauses.at(clause).count > 1);
    };
    reasons.push_back(
        cat("expected ", name(position.subject), ' ', to_string(position.relation), ' ', name(position.reference)));
  }
  if (deal == Deal::impossible && reasons.empty())
    reasons.push_back(cat("the objects found cannot be dealt out to ", caption(request)));
  return reasons;
}

/** Probability that the detection is an object of the shape; of any shape if none is given. */
double shape_score(const Detection& detection, const std::optional<Shape>& shape) {
  if (shape) return detection.shape_scores[static_cast<size_t>(*shape)];
  return std::accumulate(detection.shape_scores.begin(), detection.shape_scores.end(), 0.0);
}

double match_score(const Detection& detection, const Clause& clause) {
  const double shape = shape_score(detection, clause.shape);
  return clause.colour ? shape * detection.colour_scores[static_cast<size_t>(*clause.colour)] : shape;
}

double expected_count(const std::vector<Detection>& detections, const Clause& clause) {
  double sum = 0;
  for (const Detection& detection : detections) sum += match_score(detection, clause);
  return sum;
}

/** Small specks weigh less than whole objects. */
double weight(const Detection& detection) {
  return std::min(1.0, detection.scale * detection.scale);
}

double position_answer(const Request& request, const std::vector<Detection>& detections) {
  const Position& position = *request.position;
  double best_pair = 0, sum = 0, weights = 0;
  for (const Detection& subject : detections) {
    for (const Detection& reference : detections) {
      if (&subject == &reference) continue;
      const double pair = match_score(subject, request.clauses.at(position.subject)) *
                          match_score(reference, request.clauses.at(position.reference));
      // Full marks from the strict threshold on, none for the opposite side.
      const double cosine = relation_cosine(position.relation, subject.box, reference.box);
      sum += pair * std::clamp(cosine + 0.5, 0.0, 1.0);
      weights += pair;
      best_pair = std::max(best_pair, pair);
    }
  }
  return weights > 0 ? std::min(1.0, best_pair) * sum / weights : 0;
}

double nothing_extra_answer(const Request& request, const std::vector<Detection>& detections) {
  double extra = 0, present = 0, wanted = 0;
  for (const Detection& detection : detections) {
    double match = 0;
    for (const Clause& clause : request.clauses) match = std::max(match, match_score(detection, clause));
    extra += weight(detection) * (1 - match);
    present += weight(detection);
  }
  for (const Clause& clause : request.clauses) {
    extra += std::max(0.0, expected_count(detections, clause) - clause.count);
    wanted += clause.count;
  }
  // Painting little must not pay: what is not there cannot be praised for being without extras.
  return std::min(1.0, present / wanted) * std::exp(-2 * extra);
}

/** Weighted mean of a property of the detections; 0 for an empty picture. */
double mean_quality(const std::vector<Detection>& detections, double Detection::*property) {
  double sum = 0, weights = 0;
  for (const Detection& detection : detections) {
    sum += weight(detection) * detection.*property;
    weights += weight(detection);
  }
  return weights > 0 ? sum / weights : 0;
}

double mean_answer(const std::vector<Question>& questions, const std::vector<Answer>& answers, std::string_view kind) {
  double sum = 0;
  int count = 0;
  for (size_t index = 0; index < questions.size(); ++index) {
    if (questions[index].kind != kind) continue;
    sum += answers[index].probability;
    ++count;
  }
  return sum / count;
}

}  // namespace

double soft_answer(const Question& question, const Request& request, const std::vector<Detection>& detections) {
  const auto clause = [&]() -> const Clause& { return request.clauses.at(question.clause); };
  switch (question.property) {
    case Property::existence:
      return std::min(1.0, expected_count(detections, {clause().shape, std::nullopt, 1}) / clause().count);
    case Property::count: {
      const double wanted = clause().count;
      return std::max(0.0, 1 - std::abs(wanted - expected_count(detections, clause())) / wanted);
    }
    case Property::colour:
      return std::min(1.0, expected_count(detections, clause()) / clause().count);
    case Property::position:
      return position_answer(request, detections);
    case Property::nothing_extra:
      return nothing_extra_answer(request, detections);
    case Property::sharpness:
      return mean_quality(detections, &Detection::fit);
    case Property::purity:
      return mean_quality(detections, &Detection::purity);
  }
  return 0;
}

Verdict verify(const Image& image, const Request& request, const World& world) {
  Verdict verdict;
  verdict.background = detect_background(image);
  for (const Detection& detection : detect(image, world))
    verdict.detections.push_back(expecting_normal_size(detection));
  const Deal deal = decide(request, verdict.detections);
  verdict.correct = deal == Deal::correct && verdict.background.background == Background::plain;
  verdict.reasons = explain(request, verdict.detections, deal, verdict.background.background);
  const std::vector<Question> questions = atomic_questions(request);
  for (const Question& question : questions)
    verdict.answers.push_back({question.id, soft_answer(question, request, verdict.detections)});
  verdict.soft = verdict.background.scores[static_cast<size_t>(Background::plain)] *
                 std::sqrt(mean_answer(questions, verdict.answers, "semantic") *
                           mean_answer(questions, verdict.answers, "quality"));
  return verdict;
}

}  // namespace diptych::shapes
