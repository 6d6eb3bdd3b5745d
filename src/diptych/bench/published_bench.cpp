#include "diptych/tensor/torch.h"

#include "diptych/bench/published_bench.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "diptych/base/error.h"
#include "diptych/base/log.h"
#include "diptych/base/text_format.h"
#include "diptych/bench/bench_flops.h"
#include "diptych/bench/model_bench.h"
#include "diptych/bench/training_bench.h"
#include "diptych/model/recipe.h"
#include "diptych/shapes/corpus.h"

namespace diptych {

namespace {

/** Pixels of a side; of a model for smaller images, its largest. Quick runs take a few latent tokens. */
int64_t side_of(const BenchInput& input, int64_t pixels) {
  const ModelConfig& config = input.folder.model.config;
  const int64_t unit = latent_token_pixels(config);
  if (input.effort.quick) return std::min(config.max_latent_size, pixels / 256) * unit;
  return std::min(config.max_latent_size * unit, pixels / unit * unit);
}

int64_t fewer(const BenchInput& input, int64_t count, int64_t quick) {
  return input.effort.quick ? quick : count;
}

PolicyOptions adapters_of_both() {
  PolicyOptions policy;
  policy.adapters.rank = 64;
  policy.adapters.alpha = 128;
  policy.adapters.targets = {"*_proj*"};
  policy.und_learning_rate = policy.gen_learning_rate = 1e-6;
  return policy;
}

PolicyOptions generation_expert() {
  PolicyOptions policy;
  policy.parameters = {"language_model.model.layers.*moe_gen*"};
  policy.gen_learning_rate = 1e-6;
  policy.keeps_reference = false;
  policy.adamw.bfloat16_gradients = true;
  return policy;
}

TrainingCase update_case(const BenchInput& input, const std::string& what, int64_t pixels,
                         const PolicyOptions& policy) {
  TrainingCase training;
  training.name = cat(what, ' ', pixels, " px");
  training.chains = training.group = fewer(input, 8, 2);
  training.tokens = fewer(input, 256, 4);
  training.side = side_of(input, pixels);
  training.updates = 4;  // nothing but the trained ones is measured
  training.trained_per_pack = fewer(input, pixels > 512 ? 1 : 4, 2);
  training.policy = policy;
  training.policy.adapters.rank = std::min(policy.adapters.rank, input.folder.model.config.head_dim);
  training.recompute_layers = true;
  training.in_place = policy.adapters.rank == 0;
  training.whole_step = false;
  return training;
}

/** What a token step of a batch of texts reads at least. */
double decode_bytes(const Bagel& model, int64_t texts, int64_t rows_each) {
  Bagel copy = model;
  const ModelConfig& config = model.config;
  return static_cast<double>(model.lm_head.weight.nbytes()) + decoder_bytes(copy, /*both=*/false) +
         static_cast<double>(texts * rows_each * 2 * config.layers * config.kv_heads * config.head_dim) *
             static_cast<double>(model.embed_tokens.element_size());
}

/** By way of the files, which alone know how to become one. */
Tokenizer tokenizer_of(const BpeModel& trained) {
  std::string name = (std::filesystem::temp_directory_path() / "diptych_bench_XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr)
    throw Error(ExitCode::io, {name, "a folder for temporary files", std::strerror(errno), "set TMPDIR to another"});
  write_tokenizer_files(name, trained);
  Tokenizer tokenizer = Tokenizer::load(name);
  std::filesystem::remove_all(name);
  return tokenizer;
}

/** None where the device is too small. */
std::vector<BenchRow> rows_that_fit(const BenchInput& input, const TrainingCase& training) {
  try {
    return training_rows(input, training);
  } catch (const c10::OutOfMemoryError&) {
    log_warning(training.name + ": the device's memory is too small for it");
    return {};
  }
}

}  // namespace

ModelFolder random_model(const ModelRecipe& recipe, at::ScalarType dtype, at::Device device) {
  MadeModel made = make_model(recipe, shapes::tokenizer_corpus());
  const at::NoGradGuard no_grad;
  const auto fill = [&](const std::vector<ParameterSlot>& slots, at::ScalarType type) {
    for (const ParameterSlot& slot : slots) {
      const at::IntArrayRef shape = slot.tensor->sizes();
      const at::TensorOptions options = at::TensorOptions().dtype(type).device(device);
      if (shape.size() == 1) {
        *slot.tensor = slot.name.ends_with("weight") ? at::ones(shape, options) : at::zeros(shape, options);
      } else {
        const auto fan_in = static_cast<double>(c10::multiply_integers(shape.slice(1)));
        *slot.tensor = at::empty(shape, options).normal_(0, 1 / std::sqrt(fan_in));
      }
    }
  };
  fill(transformer_slots(made.model), dtype);
  fill(autoencoder_slots(made.model), at::kFloat);
  Tokenizer tokenizer = tokenizer_of(made.tokenizer);
  made.model.special = special_tokens(tokenizer);
  return {std::move(made.model), std::move(tokenizer)};
}

std::vector<BenchRow> bench_published_denoise(const BenchInput& input) {
  const int64_t many = fewer(input, 24, 4), few = fewer(input, 4, 2);
  return {denoise_row(input, cat("denoise 512 px by ", many), many, side_of(input, 512)),
          denoise_row(input, cat("denoise 1024 px by ", few), few, side_of(input, 1024))};
}

std::vector<BenchRow> bench_published_decode(const BenchInput& input) {
  constexpr int64_t kPromptRows = 8;
  const int64_t tokens = fewer(input, 64, 4);
  std::vector<BenchRow> rows;
  for (const int64_t texts : {fewer(input, 24, 2), fewer(input, 64, 4)}) {
    BenchRow row = decode_row(input, cat("decode by ", texts), texts, tokens);
    const double step_seconds = row.seconds * static_cast<double>(texts);
    row.bytes = decode_bytes(input.folder.model, texts, kPromptRows + tokens / 2) / step_seconds;
    row.share = *row.bytes / input.bandwidth;
    row.limit = "bandwidth";
    rows.push_back(std::move(row));
  }
  return rows;
}

std::vector<BenchRow> bench_published_update(const BenchInput& input) {
  std::vector<BenchRow> rows;
  for (const TrainingCase& training :
       {update_case(input, "lora", 512, adapters_of_both()), update_case(input, "lora", 1024, adapters_of_both()),
        update_case(input, "gen expert", 1024, generation_expert())})
    for (BenchRow& row : rows_that_fit(input, training)) rows.push_back(std::move(row));
  return rows;
}

std::vector<BenchRow> bench_published_chain(const BenchInput& input) {
  TrainingCase training = update_case(input, "unigrpo", 1024, adapters_of_both());
  training.chains = training.group = fewer(input, 24, 2);
  training.tokens = fewer(input, 200, 4);
  training.updates = 25;
  training.replays_old = training.whole_step = true;
  return rows_that_fit(input, training);
}

}  // namespace diptych
