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
                           const StageProgram& program, const StageInput& input) {
  const std::vector<ContextPart> parts = given_parts(options, program, input);
  StageContext context;
  context.full = context_segments(model, tokenizer, parts, input.key);
  // Every program ends with a text; without it the branch keeps the images in front of it.
  context.text_dropped = context_segments(model, tokenizer, {parts.begin(), parts.end() - 1}, input.key);
  for (const ContextPart& part : parts)
    if (!part.image) append_text(context.image_dropped, text_ids(tokenizer, part.text));
  return context;
}

bool has_image(const StageContext& context) {
  return std::any_of(context.full.begin(), context.full.end(),
                     [](const Segment& segment) { return segment.kind != SegmentKind::text; });
}

std::vector<CachedContext> prefill_shared(const Bagel& model, KvCache& cache, const std::vector<StageContext>& contexts,
                                          std::span<const Stage> stages, const SegmentChain StageContext::*branch) {
  std::map<int64_t, size_t> place;
  std::vector<SegmentChain> distinct;
  for (const Stage& stage : stages)
    if (place.emplace(stage.context, distinct.size()).second)
      distinct.push_back(contexts[static_cast<size_t>(stage.context)].*branch);
  std::vector<CachedContext> prefilled(distinct.size());
  prefill(model, cache, distinct, prefilled);
  std::vector<CachedContext> of_stages;
  for (const Stage& stage : stages) of_stages.push_back(prefilled[place.at(stage.context)]);
  return of_stages;
}

}  // namespace diptych
