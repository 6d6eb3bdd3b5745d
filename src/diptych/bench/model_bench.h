#pragma once
// Parts of a rollout.

#include "diptych/bench/bench.h"

namespace diptych {

/** Both halves of the autoencoder on a batch of images. */
void bench_autoencoder(const BenchInput& input);

/** The ViT and its connector on a batch of images. No row for a model without a ViT. */
void bench_vit(const BenchInput& input);

/** The context of an edit, an image and an instruction: encoding one after the other as rollouts do, prefilling in one
 *  pack, and both. */
void bench_edit_context(const BenchInput& input);

/** Prompts of a batch in one pack, per token. */
void bench_prefill(const BenchInput& input);

/** Sampling texts, a batch and one by itself. */
void bench_decode(const BenchInput& input);

/** One denoising step of images, a batch and one by itself. */
void bench_denoise(const BenchInput& input);

// The same at sizes of the caller's choice. `own` holds for each sample the number of rows that stand between the
// prompt, which all share, and what is sampled: the thought so far.

/** Sampling one text for each sample. */
struct Decoding {
  Measured measured;        // of all texts to their end
  double token_steps = 0;   // passes, each of which feeds one token to every text
  double tokens = 0;        // sampled, of all texts
  double operations = 0;    // of all passes
  double rows_halfway = 0;  // of the cache that a pass in the middle reads
};

/** Texts of so many tokens. */
Decoding measure_decoding(const BenchInput& input, const std::vector<int64_t>& own, int64_t tokens);

/** A row for one denoising step of a square image of `side` pixels for each sample, per image. */
void report_denoising(const BenchInput& input, const std::string& name, const std::vector<int64_t>& own, int64_t side);

/** Rows NAME encode and NAME decode for a batch of square images of `side` pixels. */
void report_autoencoder(const BenchInput& input, const std::string& name, int64_t batch, int64_t side);

/** A row for a batch of square images of `side` pixels, which the model resizes by its rules. The model has a ViT. */
void report_vit(const BenchInput& input, const std::string& name, int64_t batch, int64_t side);

}  // namespace diptych
