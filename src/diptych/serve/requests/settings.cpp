#include "diptych/serve/requests/settings.h"

#include "diptych/text/system_prompt.h"

namespace diptych {

ServeSettings default_settings(const ModelConfig& model) {
  ServeSettings settings;
  settings.image_transform = model.vae_transform;
  settings.image_size = model.vae_transform.max_long;
  if (model.max_latent_size >= ModelConfig().max_latent_size) {
    settings.image_context = ImageContext::vit;
    settings.think_prompt = kGenerationSystemPrompt;
    settings.think_tokens = 1024;
    settings.updates = 49;  // the 50 grid points of BAGEL's own inference
    settings.shift = 3;
  }
  if (!model.visual_und) settings.image_context = ImageContext::latent;
  return settings;
}

}  // namespace diptych
