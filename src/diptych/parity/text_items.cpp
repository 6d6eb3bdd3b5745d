// 01 and 02: prompts and decoding.

#include "diptych/parity/items.h"
#include "diptych/parity/packing.h"
#include "diptych/rollout/text_sampler.h"

namespace diptych {

namespace {

Tensor as_integers(const std::vector<int64_t>& values) {
  return at::tensor(values, at::kLong);
}

// One token per context; the contexts advance. Returns logits and hidden states [contexts, ...].
struct DecodeStep {
  Tensor logits;
  Tensor hidden;
};

DecodeStep decode_step(const Bagel& model, KvCache& cache, const std::vector<int64_t>& tokens,
                       std::vector<CachedContext>& contexts) {
  std::vector<Segment> segments;
  for (size_t i = 0; i < tokens.size(); ++i) {
    segments.push_back(text_segment({tokens[i]}, -1, contexts[i].position));
    segments.back().cached = contexts[i].rows;
  }
  const PackOutput output = forward(model, segments, &cache);
  for (size_t i = 0; i < tokens.size(); ++i) {
    contexts[i].rows.push_back(cache_rows(output, i).front());
    ++contexts[i].position;
  }
  return {logits(model, output.und), output.und};
}

std::vector<int64_t> row_of(const Tensor& tokens, int64_t step) {
  const Tensor row = tokens[step].contiguous();
  return {row.const_data_ptr<int64_t>(), row.const_data_ptr<int64_t>() + row.numel()};
}

// The sampler at temperature 0 against tokens [steps, samples], up to the first im_end of each.
void compare_greedy_sampler(const ParityCase& parity, const Tensor& expected, KvCache cache,
                            std::vector<CachedContext> contexts, Comparison& comparison) {
  const TextSampling greedy{.temperature = 0, .max_tokens = expected.size(0)};
  const std::vector<SampledText> texts =
      sample_texts(parity.model(), cache, contexts, greedy, std::vector<StreamKey>(contexts.size()));
  for (size_t sample = 0; sample < texts.size(); ++sample) {
    std::vector<int64_t> tokens = row_of(expected.t(), static_cast<int64_t>(sample));
    const auto end = std::find(tokens.begin(), tokens.end(), parity.model().special.im_end);
    if (end != tokens.end()) tokens.erase(end + 1, tokens.end());
    comparison.close_to("greedy sampler, out.tokens", as_integers(texts[sample].tokens), as_integers(tokens), {});
  }
}

}  // namespace

std::vector<std::vector<int64_t>> stored_prompts(const std::filesystem::path& folder) {
  return Fixture(folder / "01_text_prefill.safetensors").integer_lists("in.packed_text_ids", "in.text_token_lens");
}

ItemResult text_prefill_item(const ParityCase& parity) {
  at::NoGradGuard no_grad;
  const Fixture fixture(parity.folder / "01_text_prefill.safetensors");
  Comparison comparison(parity.item, fixture);
  const Bagel& model = parity.model();
  const std::vector<std::vector<int64_t>> prompts = stored_prompts(parity.folder);

  std::vector<Segment> segments;
  for (const std::vector<int64_t>& ids : prompts) segments.push_back(text_segment(ids, -1, 0));
  KvCache cache = make_cache(model);
  HiddenStates states;
  const PackOutput output = forward(model, segments, &cache, CacheUse::append, states.tap());
  compare_packing(comparison, fixture, "in.", model, segments, output.layout);
  states.compare(comparison, fixture, "out.", output);
  comparison.close("out.logits", logits(model, output.und));

  std::vector<CachedContext> contexts(prompts.size());
  KvCache prefilled = make_cache(model);
  prefill(model, prefilled, text_chains(prompts), contexts);
  std::vector<int64_t> rows, lengths, positions;
  for (const CachedContext& context : contexts) {
    rows.insert(rows.end(), context.rows.begin(), context.rows.end());
    lengths.push_back(static_cast<int64_t>(context.rows.size()));
    positions.push_back(context.position);
  }
  compare_cache(comparison, "out.kv.", prefilled, rows);
  comparison.equal("out.kv_lens", lengths);
  comparison.equal("out.ropes", positions);
  return comparison.result();
}

ItemResult decode_item(const ParityCase& parity) {
  at::NoGradGuard no_grad;
  const Fixture fixture(parity.folder / "02_decode.safetensors");
  Comparison comparison(parity.item, fixture);
  const Bagel& model = parity.model();
  const std::vector<std::vector<int64_t>> prompts = stored_prompts(parity.folder);
  KvCache cache = make_cache(model);
  std::vector<CachedContext> prompt_contexts(prompts.size());
  prefill(model, cache, text_chains(prompts), prompt_contexts);

  std::vector<int64_t> lengths, positions;
  for (const CachedContext& context : prompt_contexts) {
    lengths.push_back(static_cast<int64_t>(context.rows.size()));
    positions.push_back(context.position);
  }
  comparison.equal("in.key_values_lens", lengths);
  comparison.equal("in.packed_query_position_ids", positions);
  // Before the first step the official loop counts cached tokens alone; it adds the places of the queries itself.
  comparison.equal("in.packed_key_value_indexes",
                   merged_places(lengths, std::vector<int64_t>(lengths.size(), 0)).cached);
  comparison.equal("in.packed_start_tokens", std::vector<int64_t>(prompts.size(), model.special.im_start));

  // Every step is fed the stored token, so that one near tie cannot derail the rest.
  const Tensor& tokens = fixture.at("out.tokens");
  const int64_t steps = tokens.size(0);
  std::vector<CachedContext> contexts = prompt_contexts;
  std::vector<Tensor> step_logits, step_hidden;
  std::vector<Tensor> fed = {as_integers(std::vector<int64_t>(prompts.size(), model.special.im_start))};
  for (int64_t step = 0; step < steps; ++step) {
    const DecodeStep decoded = decode_step(model, cache, row_of(tokens, step), contexts);
    step_logits.push_back(decoded.logits);
    step_hidden.push_back(decoded.hidden);
    fed.push_back(decoded.logits.argmax(1));
  }
  comparison.close("out.step_logits", at::stack(step_logits));
  comparison.close("out.step_hidden", at::stack(step_hidden));
  comparison.equal("out.next_token_after_last_step", fed.back());
  const Tensor chosen = at::stack(fed);
  comparison.equal("out.tokens", chosen.narrow(0, 0, steps));
  std::vector<int64_t> rows;
  for (const CachedContext& context : contexts) rows.insert(rows.end(), context.rows.begin(), context.rows.end());
  compare_cache(comparison, "out.kv.", cache, rows);
  compare_greedy_sampler(parity, chosen.narrow(0, 1, steps), cache, prompt_contexts, comparison);

  std::vector<Segment> chunks;
  for (size_t i = 0; i < prompts.size(); ++i) {
    chunks.push_back(text_segment(row_of(tokens.t(), static_cast<int64_t>(i)), -1, prompt_contexts[i].position));
    chunks.back().cached = prompt_contexts[i].rows;
  }
  const PackOutput chunk = forward(model, chunks, &cache, CacheUse::scratch);
  comparison.close("out.one_prefill_logits",
                   logits(model, chunk.und).view({static_cast<int64_t>(prompts.size()), steps, -1}).transpose(0, 1));

  const Tensor& teacher = fixture.at("in.teacher_tokens");
  contexts = prompt_contexts;
  std::vector<Tensor> teacher_logits;
  for (int64_t step = 0; step < teacher.size(0); ++step)
    teacher_logits.push_back(decode_step(model, cache, row_of(teacher, step), contexts).logits);
  comparison.close("out.teacher_logits", at::stack(teacher_logits));
  return comparison.result();
}

}  // namespace diptych
