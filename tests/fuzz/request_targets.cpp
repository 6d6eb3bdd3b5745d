#include "diptych/tensor/torch.h"

#include "diptych/serve/api_error.h"
#include "diptych/serve/requests/chat_request.h"
#include "diptych/serve/requests/image_request.h"
#include "diptych/serve/requests/multipart.h"
#include "fuzz/target.h"

namespace diptych::fuzz {

namespace {

const ModelConfig& model() {
  static const ModelConfig config = load_model_config(std::filesystem::path(DIPTYCH_SOURCE_DIR) / "assets/shapes_base");
  return config;
}

const ServeSettings& settings() {
  static const ServeSettings made = default_settings(model());
  return made;
}

/** A refused request is one that the client is told about. */
template <class Parse>
void answer(const Parse& parse) {
  try {
    parse();
  } catch (const ApiError& error) {
    require(error.status == 400, "an error that is not the client's");
    static_cast<void>(error_json(error));
  }
}

void check(const Job& job) {
  require(!job.context.empty() && job.count >= 1 && job.count <= settings().max_choices, "a job that asks for nothing");
  if (!job.paint) return;
  require(job.paint->grid_height >= 1 && job.paint->grid_height <= model().max_latent_size, "a height off the grid");
  require(job.paint->grid_width >= 1 && job.paint->grid_width <= model().max_latent_size, "a width off the grid");
  require(job.paint->times.front() == 1 && job.paint->times.back() == 0, "flow times not from 1 to 0");
}

void read_chat(std::span<const std::byte> bytes) {
  answer([&] { check(parse_chat(as_text(bytes), settings()).job); });
}

void read_generation(std::span<const std::byte> bytes) {
  answer([&] { check(parse_generation(as_text(bytes), settings(), model())); });
}

/** The first line is the content type. */
void read_edit(std::span<const std::byte> bytes) {
  const std::string_view text = as_text(bytes);
  const size_t end = std::min(text.find('\n'), text.size());
  const std::string_view body = text.substr(std::min(end + 1, text.size()));
  answer([&] { check(parse_edit(body, text.substr(0, end), settings(), model())); });
  answer([&] {
    for (const FormPart& part : parse_multipart(body, text.substr(0, end))) {
      const std::string_view content = part.content;
      const bool is_inside =
          content.data() >= body.data() && content.data() + content.size() <= body.data() + body.size();
      require(content.empty() || is_inside, "a part outside the body");
    }
  });
}

const std::vector<std::string_view> kRequestWords = {"\"messages\"",
                                                     "\"role\"",
                                                     "\"user\"",
                                                     "\"content\"",
                                                     "\"type\"",
                                                     "\"image_url\"",
                                                     "\"url\"",
                                                     "\"text\"",
                                                     "\"stop\"",
                                                     "\"n\"",
                                                     "\"seed\"",
                                                     "\"size\"",
                                                     "\"auto\"",
                                                     "32x32",
                                                     "\"prompt\"",
                                                     "\"steps\"",
                                                     "\"images\"",
                                                     "\"mask\"",
                                                     "data:image/png;base64,",
                                                     "\"temperature\"",
                                                     "\"top_k\"",
                                                     "\"logprobs\"",
                                                     "\"stream_options\"",
                                                     "--b",
                                                     "\r\n\r\n",
                                                     "--b--",
                                                     "name=\"image[]\"",
                                                     "Content-Disposition: form-data; ",
                                                     "boundary=",
                                                     "multipart/form-data; ",
                                                     "True",
                                                     "\"tools\"",
                                                     "\"tool_choice\"",
                                                     "\"response_format\"",
                                                     "\"logit_bias\"",
                                                     "\"max_tokens\"",
                                                     "\"shift\"",
                                                     "\"output_format\"",
                                                     "-1",
                                                     "1e300",
                                                     "null"};

}  // namespace

std::vector<Target> request_targets() {
  return {{.name = "chat_request", .read = read_chat, .words = kRequestWords},
          {.name = "generation_request", .read = read_generation, .words = kRequestWords},
          {.name = "edit_request", .read = read_edit, .words = kRequestWords}};
}

}  // namespace diptych::fuzz
