#pragma once
// Thinking traces of the supervised start: "<think> a tricycle has three wheels . </think> three red circles".

#include <string>
#include <vector>

#include "diptych/base/rng.h"
#include "diptych/shapes/prompts/prompts.h"

namespace diptych::shapes {

/** Share of the supervised start's traces of explicit prompts that refine to what was asked. */
inline constexpr double kExplicitReliability = 0.97;

struct Trace {
  std::string text;       // the whole answer before the picture
  std::string reasoning;  // the sentence between the tags
  Request request;        // what the written refined prompt asks for; pictures of the trace follow it
  std::string refined;    // its caption, the text after "</think> "
  bool correct = false;   // request is the prompt's
};

/** Every trace the supervised start writes for the prompt, the right one first. The wrong ones state a wrong answer of
 *  the prompt's fact; for an explicit prompt they misread one shape, colour, count or relation. */
std::vector<Trace> possible_traces(const Prompt& prompt);

/** The right trace as often as the reliability of the prompt's fact (or kExplicitReliability) says, else one of the
 *  wrong ones in equal shares. */
Trace sample_trace(const Prompt& prompt, Stream& stream);

}  // namespace diptych::shapes
