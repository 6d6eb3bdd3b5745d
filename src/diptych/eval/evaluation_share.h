#pragma once
// An evaluation that several processes do together.

#include <functional>

#include "diptych/eval/evaluated_sample.h"

namespace diptych {

/** The part of one process in an evaluation that several share: every world-th prompt. */
struct EvaluationShare {
  size_t rank = 0;
  size_t world = 1;
  /** Called by each with its own samples, in order; returns those of all, without their prompts. */
  std::function<std::vector<EvaluatedSample>(std::vector<EvaluatedSample>)> join;
  /** Runs the part of this process, so that all end alike where it fails on one. */
  std::function<void(const std::function<void()>& part)> work = [](const auto& part) { part(); };

  std::vector<EvaluatedSample> deal(const std::vector<TaskPrompt>& prompts) const;
  /** The samples of all, one a prompt, in order of their places. */
  std::vector<EvaluatedSample> collect(const std::vector<TaskPrompt>& prompts, std::vector<EvaluatedSample> own) const;
};

}  // namespace diptych
