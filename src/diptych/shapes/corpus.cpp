#include "diptych/shapes/corpus.h"

#include "diptych/shapes/prompts.h"
#include "diptych/shapes/thinking.h"

namespace diptych::shapes {

std::vector<std::string> tokenizer_corpus() {
  std::vector<std::string> texts;
  for (const bool implicit : {false, true})
    for (const std::string& family : families(implicit))
      for (const Prompt& prompt : enumerate_family(family)) {
        texts.push_back(prompt.text);
        for (const Trace& trace : possible_traces(prompt)) {
          texts.push_back(trace.refined);
          texts.push_back(trace.text);
        }
      }
  return texts;
}

}  // namespace diptych::shapes
