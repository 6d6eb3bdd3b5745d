#pragma once
// The phases of training a published model at the sizes of the papers (UniGRPO 4.1: 1024 pixels, 25 updates, 3 of them
// trained), with random weights: what they cost does not depend on the weights.

#include "diptych/bench/bench.h"

namespace diptych {

/** A model of the sizes of `recipe` (see model_preset) with random weights that are drawn on the device, which is where
 *  they stay. Throws Error(config). */
ModelFolder random_model(const ModelRecipe& recipe, at::ScalarType dtype, at::Device device);

/** A denoising step of images of 512 and 1024 pixels, packed: behind a prompt that all share, and behind thoughts of
 *  different lengths. */
void bench_published_denoise(const BenchInput& input);

/** A token for each text of a batch that thinks, behind thoughts of one length and of different ones. The limit is the
 *  machine's bandwidth: every such step reads all weights of the understanding expert and the text head, and the keys
 *  and values of the texts. */
void bench_published_decode(const BenchInput& input);

/** Both halves of the autoencoder for images of 512 and 1024 pixels, as many together as rollouts take. */
void bench_published_autoencoder(const BenchInput& input);

/** The ViT and its connector for images of 512 and 1024 pixels. No row for a model without a ViT. */
void bench_published_vit(const BenchInput& input);

/** Updates: adapters of rank 64 on both experts at 512 and 1024 pixels, with what the layers keep where that fits, and
 *  the generation expert in full at 1024. */
void bench_published_update(const BenchInput& input);

/** A whole UniGRPO step at 1024 pixels with adapters: rollout, values of the reference, old values again, update; once
 *  in the memory of a card of 80 GB, and once with what the layers keep. */
void bench_published_chain(const BenchInput& input);

}  // namespace diptych
