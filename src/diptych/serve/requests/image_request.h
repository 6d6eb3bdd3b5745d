#pragma once
// The bodies of POST /v1/images/generations and /v1/images/edits.

#include <string_view>

#include "diptych/serve/requests/settings.h"

namespace diptych {

/** Reads {"prompt", "n", "size", "seed", "response_format", "think", "steps", "shift", "guidance", "temperature",
 *  "top_p", "top_k", "max_think_tokens"}. Unknown fields are ignored, but not those of unsupported_fields.h. Throws
 *  ApiError. */
Job parse_generation(std::string_view body, const ServeSettings& settings, const ModelConfig& model);

/** The same with images in front of the prompt, as JSON ("image" or "images": data URIs) or as a form (files "image" or
 *  "image[]"), and "image_guidance". Without a size, an edit has the size that the model gives the first image. */
Job parse_edit(std::string_view body, std::string_view content_type, const ServeSettings& settings,
               const ModelConfig& model);

}  // namespace diptych
