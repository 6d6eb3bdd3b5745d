#include "diptych/parity/contexts.h"

#include <cstdio>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/parity/packing.h"

namespace diptych {

namespace {

struct ContextName {
  const char* name;
  CachedContext ImageTask::*field;
};

constexpr ContextName kContexts[] = {
    {"cond", &ImageTask::context}, {"cfg_text", &ImageTask::text_dropped}, {"cfg_img", &ImageTask::image_dropped}};

void append_rows(const Bagel& model, const Fixture& fixture, const std::string& prefix, KvCache& cache) {
  const at::TensorOptions options = compute_options(model);
  int64_t rows = 0;
  for (size_t layer = 0; layer < cache.keys.size(); ++layer) {
    const std::string key = cat(prefix, "kv.layer", layer);
    cache.keys[layer] = at::cat({cache.keys[layer], fixture.at(key + ".key").to(options)});
    cache.values[layer] = at::cat({cache.values[layer], fixture.at(key + ".value").to(options)});
    rows = fixture.at(key + ".key").size(0);
  }
  cache.used += rows;
}

}  // namespace

StoredTasks stored_tasks(const Bagel& model, const Fixture& fixture) {
  const std::vector<int64_t> sizes = fixture.integers("in.image_sizes_hw");
  const int64_t pixels = latent_token_pixels(model.config);
  StoredTasks stored{make_cache(model), std::vector<ImageTask>(sizes.size() / 2)};
  for (size_t i = 0; i < stored.tasks.size(); ++i) {
    stored.tasks[i].grid_height = sizes[2 * i] / pixels;
    stored.tasks[i].grid_width = sizes[2 * i + 1] / pixels;
  }
  for (const auto& [name, field] : kContexts) {
    const std::string prefix = cat("in.ctx.", name, ".");
    const std::vector<int64_t> lengths = fixture.integers(prefix + "kv_lens");
    const std::vector<int64_t> positions = fixture.integers(prefix + "ropes");
    int64_t row = stored.cache.used;
    if (fixture.has(prefix + "kv.layer0.key")) append_rows(model, fixture, prefix, stored.cache);
    for (size_t i = 0; i < stored.tasks.size(); ++i) {
      CachedContext& context = stored.tasks[i].*field;
      for (int64_t k = 0; k < lengths.at(i); ++k) context.rows.push_back(row++);
      context.position = positions.at(i);
    }
  }
  return stored;
}

std::vector<ImageTask> with_context(std::vector<ImageTask> tasks, const CachedContext ImageTask::*context) {
  for (ImageTask& task : tasks) task.context = task.*context;
  return tasks;
}

std::vector<Segment> noisy_segments(const std::vector<ImageTask>& tasks, const Tensor& x, double time) {
  std::vector<Segment> segments;
  int64_t begin = 0;
  for (const ImageTask& task : tasks) {
    const int64_t tokens = task.grid_height * task.grid_width;
    segments.push_back(
        noisy_segment(x.narrow(0, begin, tokens), task.grid_height, task.grid_width, time, -1, task.context.position));
    segments.back().cached = task.context.rows;
    begin += tokens;
  }
  return segments;
}

void compare_denoise_packing(Comparison& comparison, const Fixture& fixture, const std::string& prefix,
                             const Bagel& model, const std::vector<ImageTask>& tasks, const Tensor& x) {
  const auto lay_out_tasks = [&](const std::vector<Segment>& segments) {
    return lay_out(segments, model.special.vision_start, model.special.vision_end, 0, model.embed_tokens.device());
  };
  const std::vector<Segment> full = noisy_segments(tasks, x, 1);
  compare_packing(comparison, fixture, prefix, model, full, lay_out_tasks(full));
  for (const auto& [name, field] : kContexts) {
    const std::string branch = cat(prefix, name, "_");
    if (!fixture.has(branch + "key_values_lens")) continue;
    const std::vector<Segment> segments = noisy_segments(with_context(tasks, field), x, 1);
    const PackLayout layout = lay_out_tasks(segments);
    std::vector<int64_t> lengths;
    for (const Segment& segment : segments) lengths.push_back(static_cast<int64_t>(segment.cached.size()));
    const MergedPlaces merged = merged_places(lengths, token_counts(segments));
    comparison.equal(branch + "key_values_lens", lengths);
    comparison.equal(branch + "packed_key_value_indexes", merged.cached);
    comparison.equal(branch + "packed_query_indexes", merged.queries);
    comparison.equal(branch + "packed_position_ids", layout.positions.cpu().index_select(0, token_order(layout)));
  }
}

Guidance named_guidance(const std::string& name) {
  Guidance guidance;
  const size_t text = name.rfind("_text");
  const std::string type = name.substr(0, text);
  const int read = text == std::string::npos
                       ? 0
                       : std::sscanf(name.c_str() + text, "_text%lf_img%lf_min%lf", &guidance.text_scale,
                                     &guidance.image_scale, &guidance.renorm_min);
  const bool known = type == "global" || type == "channel" || type == "text_channel";
  if (read != 3 || !known) throw Error(ExitCode::data, {"name of a guided velocity", "TYPE_textA_imgB_minM", name, ""});
  guidance.renorm = type == "global"    ? RenormType::global
                    : type == "channel" ? RenormType::channel
                                        : RenormType::text_channel;
  return guidance;
}

}  // namespace diptych
