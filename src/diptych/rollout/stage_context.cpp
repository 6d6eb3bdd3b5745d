#include "diptych/rollout/stage_context.h"

#include <algorithm>
#include <map>

#include "diptych/base/error.h"

namespace diptych {

namespace {

std::string filled(const std::string& text, const std::string& request) {
  const std::string mark = "{prompt}";
  const size_t place = text.find(mark);
  return place == std::string::npos ? text : text.substr(0, place) + request + text.substr(place + mark.size());
}

}  // namespace

std::vector<ContextPart> given_parts(const EpisodeOptions& options, const StageProgram& program,
                                     const StageInput& input) {
  std::vector<ContextPart> parts;
  const auto add_text = [&](const std::string& text) { parts.push_back({text, std::nullopt}); };
  const auto add_images = [&] {
    if (input.images.empty())
      throw Error(ExitCode::data,
                  {"episode '" + options.program.name + "'", "an image to look at", "a prompt without one", ""});
    for (const Image& image : input.images) parts.push_back({"", image});
  };
  for (GivenPart given : program.given) {
    switch (given) {
      case GivenPart::system_prompt:
        if (!options.system_prompt.empty()) add_text(options.system_prompt);
        break;
      case GivenPart::request:
        add_text(input.request);
        break;
      case GivenPart::images:
        add_images();
        break;
      case GivenPart::reflection_prompt:
        add_text(filled(options.reflection_prompt, input.request));
        break;
      case GivenPart::review_prompt:
        add_text(filled(options.review_prompt, input.request));
        break;
    }
  }
  return parts;
}

StageContext stage_context(const Bagel& model, const Tokenizer& tokenizer, const EpisodeOptions& options,
                           const StageProgram& program, const StageInput& input, const StreamKey& key) {
  const std::vector<ContextPart> parts = given_parts(options, program, input);
  StageContext context;
  context.full = context_segments(model, tokenizer, parts, key);
  // Every program ends with a text; without it the branch keeps the images in front of it.
  context.text_dropped = context_segments(model, tokenizer, {parts.begin(), parts.end() - 1}, key);
  for (const ContextPart& part : parts)
    if (!part.image) append_text(context.image_dropped, text_ids(tokenizer, part.text));
  return context;
}

bool has_image(const StageContext& context) {
  return std::any_of(context.full.begin(), context.full.end(),
                     [](const Segment& segment) { return segment.kind != SegmentKind::text; });
}

void prefill_shared(const Bagel& model, KvCache& cache, const Rollout& rollout, size_t begin,
                    const SegmentChain StageContext::*branch, std::vector<CachedContext>& contexts) {
  std::map<int64_t, size_t> place;
  std::vector<SegmentChain> chains;
  for (size_t k = 0; k < contexts.size(); ++k) {
    const int64_t context = rollout.stages[begin + k].context;
    if (place.emplace(context, chains.size()).second)
      chains.push_back(rollout.contexts[static_cast<size_t>(context)].*branch);
  }
  std::vector<CachedContext> prefilled(chains.size());
  prefill(model, cache, chains, prefilled);
  for (size_t k = 0; k < contexts.size(); ++k) contexts[k] = prefilled[place.at(rollout.stages[begin + k].context)];
}

}  // namespace diptych
