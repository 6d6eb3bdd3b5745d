#pragma once
// What an evaluation keeps of every chain.

#include "diptych/reward/task.h"

namespace diptych {

/** A look at a picture with a view to repair it. */
struct Review {
  size_t text = 0;     // what was said of it, in the candidate's texts
  size_t picture = 0;  // that was looked at, in its images
  bool of_right_picture = false;
  bool stopped = false;  // the model said that it is done
};

/** One evaluated chain, kept for tables, pictures and reports. */
struct EvaluatedSample {
  size_t place = 0;  // in the evaluation, which addresses its draws
  TaskPrompt prompt;
  Candidate candidate;               // of the whole conversation: texts and images of all rounds; the last image counts
  int64_t think_tokens = 0;          // sampled, of the first text
  Score score;                       // of the last image
  bool correct = false;              // the last image
  std::vector<bool> correct_rounds;  // of the picture after 0, 1, ... refinements
  std::vector<Review> reviews;       // of rounds that looked at it

  bool stopped() const { return !reviews.empty() && reviews.back().stopped; }
};

}  // namespace diptych
