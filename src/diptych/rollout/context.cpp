#include "diptych/rollout/context.h"

namespace diptych {

std::vector<int64_t> text_ids(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<int64_t> ids = tokenizer.encode(text);
  ids.insert(ids.begin(), tokenizer.im_start());
  ids.push_back(tokenizer.im_end());
  return ids;
}

std::vector<int64_t> prompt_ids(const Tokenizer& tokenizer, std::string_view system_prompt, std::string_view prompt) {
  std::vector<int64_t> ids;
  if (!system_prompt.empty()) ids = text_ids(tokenizer, system_prompt);
  for (int64_t id : text_ids(tokenizer, prompt)) ids.push_back(id);
  return ids;
}

void prefill_texts(const Bagel& model, KvCache& cache, const std::vector<std::vector<int64_t>>& texts,
                   std::vector<CachedContext>& contexts) {
  at::NoGradGuard no_grad;
  std::vector<Segment> segments;
  for (size_t i = 0; i < texts.size(); ++i) {
    segments.push_back(text_segment(texts[i], -1, contexts[i].position));
    segments.back().cached = contexts[i].rows;
  }
  const PackOutput output = forward(model, segments, &cache);
  for (size_t i = 0; i < texts.size(); ++i) {
    for (int64_t row : cache_rows(output, i)) contexts[i].rows.push_back(row);
    contexts[i].position = next_position(segments[i]);
  }
}

}  // namespace diptych
