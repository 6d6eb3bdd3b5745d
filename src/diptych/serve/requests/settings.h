#pragma once
// What a server lets its clients do, and what it does where they do not say.

#include "diptych/model/config/model_config.h"
#include "diptych/serve/engine/job.h"

namespace diptych {

struct ServeSettings {
  std::string model_name;
  int64_t max_tokens = 4096;                        // largest max_tokens of a request
  int64_t max_context = 32768;                      // tokens read and written in one chat or thought
  int64_t max_choices = 64;                         // largest n
  int64_t max_image_pixels = int64_t{1} << 24;      // of an image sent by a client
  int64_t max_request_images = 16;                  // of one request
  ImageTransformConfig image_transform;             // images are kept no larger than this makes them
  ImageContext image_context = ImageContext::both;  // of chats

  // Painting.
  std::string think_prompt;  // in front of prompts that think; may be empty
  int64_t think_tokens = 40;
  int64_t updates = 5;
  double shift = 2;
  int64_t image_size = 0;  // pixels per side
};

/** All images of a request may have this many times the pixels that one of them may. */
constexpr int64_t kMostRequestPixels = 4;

/** The settings that depend on the model: those of `diptych sample`, and the image context that BAGEL was trained with
 *  (models as large as BAGEL: the ViT block alone; the small ones: both; without a ViT: the latent block). */
ServeSettings default_settings(const ModelConfig& model);

}  // namespace diptych
