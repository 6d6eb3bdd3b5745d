#include "diptych/rollout/text_sampler.h"

#include <limits>

#include "diptych/base/error.h"
#include "diptych/tensor/device.h"

namespace diptych {

namespace {

Tensor filtered(Tensor scaled, const TextSampling& sampling) {
  const double hidden = -std::numeric_limits<double>::infinity();
  if (sampling.top_k > 0 && sampling.top_k < scaled.size(1)) {
    const Tensor least = std::get<0>(scaled.topk(sampling.top_k, 1)).narrow(1, sampling.top_k - 1, 1);
    scaled = scaled.masked_fill(scaled < least, hidden);
  }
  if (sampling.top_p < 1.0) {
    const auto [sorted, order] = scaled.sort(/*stable=*/true, 1, /*descending=*/true);
    const Tensor probabilities = sorted.softmax(1);
    // A token is dropped when those before it already hold top_p; the first is always kept.
    Tensor dropped = (probabilities.cumsum(1) - probabilities) >= sampling.top_p;
    dropped.select(1, 0).fill_(false);
    scaled = scaled.masked_fill(at::zeros_like(dropped).scatter(1, order, dropped), hidden);
  }
  return scaled;
}

[[noreturn]] void fail_not_finite(const char* what) {
  throw Error(ExitCode::numerics,
              {what, "finite numbers", "NaN or infinity",
               "the weights are damaged or the training diverged; an earlier checkpoint may be whole"});
}

}  // namespace

void check_finite(const Tensor& values, const char* what) {
  if (!values.isfinite().all().item<bool>()) fail_not_finite(what);
}

std::vector<int64_t> segment_ids(const SampledText& text, const SpecialTokens& special) {
  std::vector<int64_t> ids = {special.im_start};
  ids.insert(ids.end(), text.tokens.begin(), text.tokens.end());
  if (text.truncated) ids.push_back(special.im_end);
  return ids;
}

Tensor pick_tokens(const Tensor& logits, const TextSampling& sampling, const Tensor& uniforms) {
  if (sampling.temperature == 0) return logits.argmax(1);
  const Tensor scaled = filtered(logits.to(at::kDouble).div(sampling.temperature), sampling);
  const Tensor cumulative = scaled.softmax(1).cumsum(1);
  // The last sum can be 1 - 1e-16; scaling by it keeps u < total.
  const Tensor targets =
      uniforms.to(cumulative.options()).unsqueeze(1) * cumulative.narrow(1, cumulative.size(1) - 1, 1);
  const Tensor places = at::searchsorted(cumulative, targets, /*out_int32=*/false, /*right=*/true).squeeze(1);
  // A row of NaN has no place for any number; callers look for NaN when they have seen all of a step.
  return places.clamp_max(logits.size(1) - 1);
}

std::vector<SampledText> sample_texts(const Bagel& model, KvCache& cache, std::vector<CachedContext>& contexts,
                                      const TextSampling& sampling, const std::vector<StreamKey>& keys) {
  at::NoGradGuard no_grad;
  std::vector<SampledText> texts(contexts.size());
  std::vector<int64_t> fed(contexts.size(), model.special.im_start);
  std::vector<size_t> active(contexts.size());
  for (size_t i = 0; i < active.size(); ++i) active[i] = i;
  const double log_temperature = sampling.temperature == 0 ? 1.0 : sampling.temperature;

  while (!active.empty()) {
    std::vector<Segment> segments;
    for (size_t i : active) {
      segments.push_back(text_segment({fed[i]}, -1, contexts[i].position));
      segments.back().cached = contexts[i].rows;
    }
    const PackOutput output = forward(model, segments, &cache);
    std::vector<double> uniforms;
    for (size_t k = 0; k < active.size(); ++k) {
      const size_t i = active[k];
      contexts[i].rows.push_back(cache_rows(output, k).front());
      ++contexts[i].position;
      StreamKey key = keys[i];
      key.purpose = Purpose::think;
      key.position += texts[i].tokens.size();
      uniforms.push_back(Stream(key).uniform());
    }
    const Tensor values = logits(model, output.und);
    const Tensor picked = pick_tokens(values, sampling, on_device(at::tensor(uniforms, at::kDouble), values.device()));
    // Not logsumexp: a single long row is shared out over the threads, so that its bits would depend on the batch.
    const Tensor scores = values.div(log_temperature).log_softmax(1);
    const Tensor logprobs = scores.gather(1, picked.unsqueeze(1)).squeeze(1).to(at::kDouble);
    // A single copy: each makes the host wait for the device.
    const Tensor finite = values.isfinite().all(1);
    const Tensor here = at::stack({finite.to(at::kDouble), picked.to(at::kDouble), logprobs}).cpu();
    if (!here[0].all().item<bool>()) fail_not_finite("logits of a sampled thought");

    std::vector<size_t> still_active;
    for (size_t k = 0; k < active.size(); ++k) {
      const size_t i = active[k];
      const auto kth = static_cast<int64_t>(k);
      if (fed[i] == model.special.im_end) continue;
      if (static_cast<int64_t>(texts[i].tokens.size()) == sampling.max_tokens) {
        texts[i].truncated = true;
        fed[i] = model.special.im_end;
      } else {
        fed[i] = here[1][kth].item<int64_t>();
        texts[i].tokens.push_back(fed[i]);
        texts[i].logprobs.push_back(here[2][kth].item<double>());
      }
      still_active.push_back(i);
    }
    active = std::move(still_active);
  }
  return texts;
}

}  // namespace diptych
