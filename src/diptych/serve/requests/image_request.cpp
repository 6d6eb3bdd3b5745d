#include "diptych/serve/requests/image_request.h"

#include "diptych/base/ascii.h"
#include "diptych/base/text_format.h"
#include "diptych/flow/timestep_grid.h"
#include "diptych/io/image/pixel_size.h"
#include "diptych/io/image/resize.h"
#include "diptych/serve/api_error.h"
#include "diptych/serve/requests/json_fields.h"
#include "diptych/serve/requests/multipart.h"
#include "diptych/serve/requests/request_image.h"
#include "diptych/serve/requests/request_images.h"
#include "diptych/serve/requests/unsupported_fields.h"

namespace diptych {

namespace {

PixelSize parse_size(const std::string& text) {
  if (const std::optional<PixelSize> size = parse_pixel_size(text)) return *size;
  throw invalid_request("'size' must have the form WIDTHxHEIGHT, such as 1024x1024", "size");
}

int64_t latent_side(int64_t pixels, const ModelConfig& model) {
  const int64_t unit = latent_token_pixels(model);
  if (pixels <= 0 || pixels % unit != 0 || pixels / unit > model.max_latent_size)
    throw invalid_request(cat("each side of 'size' must be a multiple of ", unit, " up to ",
                              unit * model.max_latent_size, " pixels, not ", pixels),
                          "size");
  return pixels / unit;
}

/** The grid of a request, sound or refused: the engine paints several requests' images in one pass. */
std::vector<double> flow_times(int64_t updates, double shift) {
  std::vector<double> times = timestep_grid(updates + 1, shift);
  bool falls = times.front() == 1 && times.back() == 0;
  for (size_t k = 0; k + 1 < times.size(); ++k) falls = falls && times[k + 1] < times[k];
  if (!falls)
    throw invalid_request(cat("'shift' ", shift, " leaves no flow times from 1 to 0 for ", updates, " steps"), "shift");
  return times;
}

PaintStage paint_stage(const nlohmann::json& object, PixelSize size, const ServeSettings& settings,
                       const ModelConfig& model) {
  const std::string asked = string_field(object, "size", "auto");
  if (asked != "auto" && !asked.empty()) size = parse_size(asked);
  PaintStage stage;
  stage.grid_height = latent_side(size.height, model);
  stage.grid_width = latent_side(size.width, model);
  const int64_t updates = integer_field(object, "steps", settings.updates, 1, 1000);
  stage.times = flow_times(updates, number_field(object, "shift", settings.shift, 1e-3, 1e3));
  stage.guidance.text_scale = number_field(object, "guidance", 1, 1, 100);
  stage.guidance.image_scale = number_field(object, "image_guidance", 1, 1, 100);
  return stage;
}

TextStage think_stage(const nlohmann::json& object, const ServeSettings& settings) {
  TextStage stage;
  stage.sampling.temperature = number_field(object, "temperature", 1, 0, 100);
  stage.sampling.top_p = number_field(object, "top_p", 1, 0, 1);
  stage.sampling.top_k = std::max<int64_t>(0, integer_field(object, "top_k", 0, -1, INT32_MAX));
  stage.sampling.max_tokens = clamped_field(object, "max_think_tokens", settings.think_tokens, 1,
                                            std::max(settings.max_tokens, settings.think_tokens));
  return stage;
}

Job paint_job(const nlohmann::json& object, std::vector<Image> images, PixelSize size, bool think,
              const ServeSettings& settings, const ModelConfig& model) {
  refuse_unsupported_image_fields(object);
  const std::string prompt = string_field(object, "prompt", "");
  if (prompt.empty()) throw invalid_request("'prompt' must be a string with at least one character", "prompt");
  Job job;
  think = bool_field(object, "think", think);
  if (think && !settings.think_prompt.empty()) job.context.push_back({settings.think_prompt, std::nullopt});
  for (Image& image : images) job.context.push_back({"", std::move(image)});
  job.context.push_back({prompt, std::nullopt});
  if (!model.visual_und) job.image_context = ImageContext::latent;
  job.paint = paint_stage(object, size, settings, model);
  if (think) job.text = think_stage(object, settings);
  job.count = integer_field(object, "n", 1, 1, settings.max_choices);
  job.seed = seed_field(object);
  return job;
}

struct EditInput {
  nlohmann::json fields;
  std::vector<Image> images;
};

/** Form fields are texts; those that are JSON numbers or booleans in the JSON form become such here. */
nlohmann::json typed(const std::string& name, std::string_view content) {
  if (name == "prompt" || name == "size" || name == "mask") return std::string(content);
  if (content == "True") return true;
  if (content == "False") return false;
  const nlohmann::json value = nlohmann::json::parse(content.substr(0, 64), nullptr, /*allow_exceptions=*/false);
  return value.is_number() || value.is_boolean() ? value : nlohmann::json(std::string(content));
}

EditInput read_form(std::string_view body, std::string_view content_type, const ServeSettings& settings) {
  EditInput input;
  RequestImages images(settings);
  input.fields = nlohmann::json::object();
  for (const FormPart& part : parse_multipart(body, content_type)) {
    if (part.name == "image" || part.name == "image[]") {
      const auto* bytes = reinterpret_cast<const uint8_t*>(part.content.data());
      input.images.push_back(images.take("image", [&](int64_t most) {
        return image_of_bytes({bytes, part.content.size()}, "image", most);
      }));
    } else {
      input.fields[part.name] = typed(part.name, part.content);
    }
  }
  return input;
}

EditInput read_json(std::string_view body, const ServeSettings& settings) {
  EditInput input{parse_object(body), {}};
  RequestImages images(settings);
  const nlohmann::json* value = find_field(input.fields, "images");
  if (value == nullptr) value = find_field(input.fields, "image");
  if (value == nullptr) return input;
  const nlohmann::json list = value->is_array() ? *value : nlohmann::json::array({*value});
  for (const nlohmann::json& item : list) {
    const bool wrapped = item.is_object() && item.contains("image_url");
    const nlohmann::json& image = wrapped ? item["image_url"] : item;
    input.images.push_back(images.take("image", [&](int64_t most) { return image_of_json(image, "image", most); }));
  }
  return input;
}

}  // namespace

Job parse_generation(std::string_view body, const ServeSettings& settings, const ModelConfig& model) {
  return paint_job(parse_object(body), {}, {settings.image_size, settings.image_size}, /*think=*/true, settings, model);
}

Job parse_edit(std::string_view body, std::string_view content_type, const ServeSettings& settings,
               const ModelConfig& model) {
  EditInput input = ascii_lower(content_type).starts_with("multipart/form-data")
                        ? read_form(body, content_type, settings)
                        : read_json(body, settings);
  if (input.images.empty()) throw invalid_request("an edit needs at least one 'image'", "image");
  const ImageTransformConfig& transform = model.vae_transform;
  const auto [width, height] = resized_size(input.images.front().width, input.images.front().height,
                                            {transform.max_long, transform.min_short, transform.stride});
  return paint_job(input.fields, std::move(input.images), {width, height}, /*think=*/false, settings, model);
}

}  // namespace diptych
