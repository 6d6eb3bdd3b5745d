#pragma once
// The exact verifier of the shapes world: is the picture what the request asks for, and how nearly.

#include <string>
#include <vector>

#include "diptych/shapes/verify/detect.h"
#include "diptych/shapes/world/questions.h"
#include "diptych/shapes/world/request.h"

namespace diptych::shapes {

/** Probability of "yes" to one of the request's atomic_questions. */
struct Answer {
  std::string question;  // Question::id
  double probability = 0;
};

struct Verdict {
  bool correct = false;
  double soft = 0;  // [0, 1]
  BackgroundDetection background;
  std::vector<Detection> detections;  // expecting_normal_size
  std::vector<std::string> reasons;   // one sentence per fault; empty if and only if correct
  std::vector<Answer> answers;        // in the order of atomic_questions(request)
};

/** `correct`: GenEval's decision with exact counts and nothing extra. The detections can be dealt out to the clauses,
 *  each by its best shape and colour, such that all clauses are full, no detection is left, and the position holds for
 *  every pair. A detection with a confidence below 0.5 is an unknown object and answers to no clause. Requests are
 *  silent on sizes and backgrounds, and mean objects of normal size (a clearly small one is unknown) on the plain
 *  background.
 *  `soft`: sqrt(mean of semantic answers * mean of quality answers), the aggregate of DVReward (AlphaGRPO), times the
 * probability of the plain background. */
Verdict verify(const Image& image, const Request& request, const World& world);

/** Answer to one question, in [0, 1], continuous in the scores of the detections. Nothing is true of an empty list: its
 *  answers are 0. Counts give partial credit, 1 - |wanted - found| / wanted, as in FlowGRPO's GenEval reward. */
double soft_answer(const Question& question, const Request& request, const std::vector<Detection>& detections);

}  // namespace diptych::shapes
