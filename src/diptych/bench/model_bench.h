#pragma once
// Parts of a rollout.

#include "diptych/bench/bench.h"

namespace diptych {

/** Both halves of the autoencoder on a batch of images. */
std::vector<BenchRow> bench_autoencoder(const BenchInput& input);

/** The ViT and its connector on a batch of images. No row for a model without a ViT. */
std::vector<BenchRow> bench_vit(const BenchInput& input);

/** The context of an edit, an image and an instruction: encoding one after the other as rollouts do, prefilling in one
 *  pack, and both. */
std::vector<BenchRow> bench_edit_context(const BenchInput& input);

/** Prompts of a batch in one pack, per token. */
std::vector<BenchRow> bench_prefill(const BenchInput& input);

/** Sampling `batch` texts of so many tokens behind one prompt, per sampled token. */
BenchRow decode_row(const BenchInput& input, const std::string& name, int64_t batch, int64_t tokens);

/** One denoising step of `batch` square images of `side` pixels behind one prompt, per image. */
BenchRow denoise_row(const BenchInput& input, const std::string& name, int64_t batch, int64_t side);

/** Sampling texts, a batch and one by itself. */
std::vector<BenchRow> bench_decode(const BenchInput& input);

/** One denoising step of images, a batch and one by itself. */
std::vector<BenchRow> bench_denoise(const BenchInput& input);

}  // namespace diptych
