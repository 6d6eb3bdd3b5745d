#pragma once
// Parts of a rollout with the model of a folder.

#include "diptych/bench/bench.h"

namespace diptych {

/** fp32 matrix products: a large square, whose rate is the limit of the other benchmarks, and the MLP of the model for
 *  1024 tokens. */
std::vector<BenchRow> bench_gemm(const ModelConfig& config, const BenchEffort& effort);

/** Both halves of the autoencoder on a batch of images. */
std::vector<BenchRow> bench_autoencoder(const BenchInput& input);

/** The ViT and its connector on a batch of images. No row for a model without a ViT. */
std::vector<BenchRow> bench_vit(const BenchInput& input);

/** The context of an edit, an image and an instruction: encoding one after the other as rollouts do, prefilling in one
 *  pack, and both. */
std::vector<BenchRow> bench_edit_context(const BenchInput& input);

/** Prompts of a batch in one pack, per token. */
std::vector<BenchRow> bench_prefill(const BenchInput& input);

/** Sampling texts behind one prompt, a batch and one by itself, per sampled token. */
std::vector<BenchRow> bench_decode(const BenchInput& input);

/** One denoising step of images behind one prompt, a batch and one by itself, per image. */
std::vector<BenchRow> bench_denoise(const BenchInput& input);

}  // namespace diptych
