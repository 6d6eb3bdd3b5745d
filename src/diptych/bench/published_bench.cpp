#include "diptych/tensor/torch.h"

#include "diptych/bench/published_bench.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/bench/bench_flops.h"
#include "diptych/bench/model_bench.h"
#include "diptych/bench/training_bench.h"
#include "diptych/model/folder/model_recipe.h"
#include "diptych/rollout/image_sampler.h"
#include "diptych/shapes/examples/corpus.h"

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
  training.chains = training.group = fewer(input, pixels > 512 ? 4 : 8, 2);
  training.tokens = fewer(input, 256, 4);
  training.side = side_of(input, pixels);
  training.updates = 4;  // nothing but the trained ones is measured
  training.trained_per_pack = fewer(input, pixels > 512 ? 1 : 4, 2);
  training.policy = policy;
  training.policy.adapters.rank = std::min(policy.adapters.rank, input.folder.model.config.head_dim);
  training.in_place = policy.adapters.rank == 0;
  // Running the layers again costs a forward pass of work that is not counted. What stays between the layers of
  // adapters leaves room for the rest on a large card; masters, moments and gradients of an expert do not.
  training.recompute = training.in_place ? std::vector<bool>{true} : std::vector<bool>{false, true};
  training.whole_step = false;
  return training;
}

/** What a pass of texts reads at least that reads so many rows of the cache. */
double decode_bytes(const Bagel& model, double rows) {
  Bagel copy = model;
  const ModelConfig& config = model.config;
  return static_cast<double>(model.lm_head.weight.nbytes()) + decoder_bytes(copy, /*both=*/false) +
         rows * static_cast<double>(2 * config.layers * config.kv_heads * config.head_dim) *
             static_cast<double>(model.embed_tokens.element_size());
}

/** Thoughts of different lengths, as most are: their attention takes another way than that of equal ones. */
std::vector<int64_t> ragged(const BenchInput& input, int64_t count) {
  const int64_t shortest = fewer(input, 50, 3), longest = fewer(input, 400, 9);
  std::vector<int64_t> lengths;
  for (int64_t i = 0; i < count; ++i) lengths.push_back(shortest + (longest - shortest) * i / (count - 1));
  return lengths;
}

void report_token_steps(const BenchInput& input, const std::string& name, const std::vector<int64_t>& own) {
  const int64_t tokens = fewer(input, 32, 4);
  const Decoding decoding = measure_decoding(input, own, tokens);
  const auto [shortest, longest] = std::minmax_element(own.begin(), own.end());
  BenchRow row = matrix_row(input, name,
                            cat("1 token of ", own.size(), " texts behind ", *shortest,
                                *shortest == *longest ? "" : cat(" to ", *longest), " rows"),
                            "token step", decoding.token_steps, decoding.measured, decoding.operations);
  row.bytes = decode_bytes(input.folder.model, decoding.rows_halfway) / row.seconds;
  row.share = *row.bytes / input.bandwidth;
  row.limit = "bandwidth";
  input.report(std::move(row));
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

/** A row that says so where the device is too small for any way of the update. */
void report_if_it_fits(const BenchInput& input, const TrainingCase& training) {
  unless_out_of_memory(input, training.name,
                       cat(training.chains, " chains, ", training.sampled_per_pack, " sampled and ",
                           training.trained_per_pack, " trained a pack, ", training.side, " px"),
                       [&] { report_training(input, training); });
}

}  // namespace

ModelFolder random_model(const ModelRecipe& recipe, at::ScalarType dtype, at::Device device) {
  MadeModel made = make_model(recipe, shapes::tokenizer_corpus());
  require_room_for(made.model, "the model of --like", dtype, device);
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

void bench_published_denoise(const BenchInput& input) {
  const std::pair<int64_t, int64_t> packs[] = {{512, fewer(input, 24, 4)}, {1024, fewer(input, 4, 2)}};
  for (const auto& [pixels, images] : packs) {
    const std::string name = cat("denoise ", pixels, " px by ", images);
    report_denoising(input, name, std::vector<int64_t>(static_cast<size_t>(images)), side_of(input, pixels));
    report_denoising(input, name + " ragged", ragged(input, images), side_of(input, pixels));
  }
}

void bench_published_decode(const BenchInput& input) {
  const int64_t few = fewer(input, 24, 2), many = fewer(input, 64, 4), thought = fewer(input, 300, 6);
  for (const int64_t texts : {few, many})
    report_token_steps(input, cat("decode by ", texts), std::vector<int64_t>(static_cast<size_t>(texts), thought));
  report_token_steps(input, cat("decode by ", few, " ragged"), ragged(input, few));
}

void bench_published_autoencoder(const BenchInput& input) {
  for (const int64_t pixels : {512, 1024}) {
    const int64_t side = side_of(input, pixels);
    report_autoencoder(input, cat("autoencoder ", pixels, " px"), fewer(input, images_decoded_at_once(side * side), 2),
                       side);
  }
}

void bench_published_vit(const BenchInput& input) {
  if (!input.folder.model.vit) return;
  for (const int64_t pixels : {512, 1024})
    report_vit(input, cat("vit ", pixels, " px"), fewer(input, 8, 2), side_of(input, pixels));
}

void bench_published_update(const BenchInput& input) {
  for (const TrainingCase& training :
       {update_case(input, "lora", 512, adapters_of_both()), update_case(input, "lora", 1024, adapters_of_both()),
        update_case(input, "gen expert", 1024, generation_expert())})
    report_if_it_fits(input, training);
}

void bench_published_chain(const BenchInput& input) {
  TrainingCase training = update_case(input, "unigrpo", 1024, adapters_of_both());
  training.chains = training.group = fewer(input, 24, 2);
  training.tokens = fewer(input, 200, 4);
  training.updates = 25;
  training.replays_old = training.whole_step = true;
  // The paper's 32 prompts of 24 chains, in two updates.
  training.step_chains = 768;
  training.optimizer_steps = 2;
  // First what `diptych plan` says fits a card of 80 GB, then what a larger one does faster.
  training.sampled_per_pack = 12;
  training.recompute = {true, false};
  training.first_that_fits = false;
  report_if_it_fits(input, training);
}

}  // namespace diptych
