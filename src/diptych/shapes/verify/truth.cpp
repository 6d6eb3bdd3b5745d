#include "diptych/shapes/verify/truth.h"

#include <algorithm>
#include <numeric>

#include "diptych/shapes/world/render.h"

namespace diptych::shapes {

namespace {

int wanted_objects(const Request& request) {
  return std::accumulate(request.clauses.begin(), request.clauses.end(), 0,
                         [](int sum, const Clause& clause) { return sum + clause.count; });
}

int count_of(const Scene& scene, const Clause& clause) {
  return static_cast<int>(std::count_if(scene.objects.begin(), scene.objects.end(),
                                        [&](const Object& object) { return answers_to(object, clause); }));
}

/** Deals out objects from the `next` one on; `visit(clause_of)` says whether a full deal will do. */
template <class Visit>
bool deal_out(const Scene& scene, const Request& request, std::vector<int>& clause_of, const Visit& visit) {
  const size_t next = clause_of.size();
  if (next == scene.objects.size()) return visit(clause_of);
  for (int clause = 0; clause < static_cast<int>(request.clauses.size()); ++clause) {
    const auto taken = std::count(clause_of.begin(), clause_of.end(), clause);
    if (taken == request.clauses[clause].count || !answers_to(scene.objects[next], request.clauses[clause])) continue;
    clause_of.push_back(clause);
    if (deal_out(scene, request, clause_of, visit)) return true;
    clause_of.pop_back();
  }
  return false;
}

int best_deal_from(const Scene& scene, const Request& request, size_t next, std::vector<int>& vacancies) {
  if (next == scene.objects.size()) return 0;
  int best = -1;
  for (size_t clause = 0; clause < vacancies.size(); ++clause) {
    if (vacancies[clause] == 0 || !answers_to(scene.objects[next], request.clauses[clause])) continue;
    --vacancies[clause];
    best = std::max(best, 1 + best_deal_from(scene, request, next + 1, vacancies));
    ++vacancies[clause];
  }
  // An object that can take a place takes one: leaving it to another object deals out no more in all.
  return best >= 0 ? best : best_deal_from(scene, request, next + 1, vacancies);
}

/** Whether the relation holds for every pair of objects for which `is_subject` and `is_reference` are true. */
template <class IsSubject, class IsReference>
bool relation_of_all(const Scene& scene, Relation relation, const World& world, const IsSubject& is_subject,
                     const IsReference& is_reference) {
  for (size_t a = 0; a < scene.objects.size(); ++a)
    for (size_t b = 0; b < scene.objects.size(); ++b)
      if (a != b && is_subject(a) && is_reference(b) &&
          !relation_holds(relation, box_of(scene.objects[a], world), box_of(scene.objects[b], world)))
        return false;
  return true;
}

bool position_question_holds(const Request& request, const Scene& scene, const World& world) {
  const Clause& subject = request.clauses.at(request.position->subject);
  const Clause& reference = request.clauses.at(request.position->reference);
  return count_of(scene, subject) > 0 && count_of(scene, reference) > 0 &&
         relation_of_all(
             scene, request.position->relation, world,
             [&](size_t object) { return answers_to(scene.objects[object], subject); },
             [&](size_t object) { return answers_to(scene.objects[object], reference); });
}

}  // namespace

bool answers_to(const Object& object, const Clause& clause) {
  return object.shape == clause.shape.value_or(object.shape) && object.colour == clause.colour.value_or(object.colour);
}

Box box_of(const Object& object, const World& world) {
  const Point middle = centre(object, world);
  const double radius = world.radius * kSizeScale[static_cast<size_t>(object.size)];
  return {middle.x - radius, middle.y - radius, middle.x + radius, middle.y + radius};
}

int best_deal(const Scene& scene, const Request& request) {
  std::vector<int> vacancies;
  for (const Clause& clause : request.clauses) vacancies.push_back(clause.count);
  return best_deal_from(scene, request, 0, vacancies);
}

bool fulfils(const Scene& scene, const Request& request, const World& world) {
  if (static_cast<int>(scene.objects.size()) != wanted_objects(request)) return false;
  std::vector<int> clause_of;
  return deal_out(scene, request, clause_of, [&](const std::vector<int>& dealt) {
    return !request.position || relation_of_all(
                                    scene, request.position->relation, world,
                                    [&](size_t object) { return dealt[object] == request.position->subject; },
                                    [&](size_t object) { return dealt[object] == request.position->reference; });
  });
}

bool holds(const Question& question, const Request& request, const Scene& scene, const World& world) {
  const auto clause = [&]() -> const Clause& { return request.clauses.at(question.clause); };
  switch (question.property) {
    case Property::existence:
      return count_of(scene, {clause().shape, std::nullopt, 1}) > 0;
    case Property::count:
      return count_of(scene, clause()) == clause().count;
    case Property::colour: {
      const int all = count_of(scene, {clause().shape, std::nullopt, 1});
      return all > 0 && count_of(scene, clause()) == all;
    }
    case Property::position:
      return position_question_holds(request, scene, world);
    case Property::nothing_extra:
      return !scene.objects.empty() && best_deal(scene, request) == static_cast<int>(scene.objects.size());
    case Property::sharpness:
    case Property::purity:
      return !scene.objects.empty();
  }
  return false;
}

}  // namespace diptych::shapes
