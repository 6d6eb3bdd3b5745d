#include "diptych/serve/requests/unsupported_fields.h"

#include <algorithm>
#include <utility>

#include "diptych/base/text_format.h"
#include "diptych/serve/api_error.h"
#include "diptych/serve/requests/json_fields.h"

namespace diptych {

namespace {

/** Fields in the order in which they are named, and their values that ask for nothing beside the empty ones; numbers
 * are equal however they are written. */
using NeutralValues = std::vector<std::pair<std::string, std::vector<nlohmann::json>>>;

const NeutralValues& chat_fields() {
  static const NeutralValues fields = {
      // What the answer looks like.
      {"response_format", {nlohmann::json::object({{"type", "text"}})}},
      {"modalities", {nlohmann::json::array({"text"})}},
      {"audio", {}},
      {"web_search_options", {}},
      {"guided_json", {}},
      {"guided_regex", {}},
      {"guided_choice", {}},
      {"guided_grammar", {}},
      {"structured_outputs", {}},
      {"json_schema", {}},
      {"regex", {}},
      {"ebnf", {}},
      {"grammar", {}},
      // Which tokens it may have.
      {"logit_bias", {}},
      {"frequency_penalty", {0}},
      {"presence_penalty", {0}},
      {"repetition_penalty", {1}},
      {"repeat_penalty", {1}},
      {"min_p", {0}},
      {"typical_p", {1}},
      {"min_tokens", {0}},
      {"ignore_eos", {false}},
      {"stop_token_ids", {}},
      {"allowed_token_ids", {}},
      {"bad_words", {}},
      {"include_stop_str_in_output", {false}},
      {"skip_special_tokens", {true}},
      {"use_beam_search", {false}},
      {"best_of", {1}},
      {"length_penalty", {1}},
      // What it is written behind.
      {"echo", {false}},
      {"prompt_logprobs", {0}},
      {"chat_template", {}},
      {"continue_final_message", {false}},
      {"truncate_prompt_tokens", {}},
      {"documents", {}},
  };
  return fields;
}

const NeutralValues& message_fields() {
  static const NeutralValues fields = {{"tool_calls", {}}, {"function_call", {}}, {"audio", {}}};
  return fields;
}

const NeutralValues& image_fields() {
  static const NeutralValues fields = {
      {"stream", {false}},
      {"partial_images", {0}},
      {"output_format", {"png"}},
      {"output_compression", {100}},
      {"background", {"auto", "opaque"}},
      {"quality", {"auto", "standard"}},
      {"style", {"vivid"}},
      {"input_fidelity", {"low"}},
      {"response_format", {"b64_json"}},
      {"mask", {}},
      {"negative_prompt", {}},
      // Other servers' names of "steps" and "guidance".
      {"num_inference_steps", {}},
      {"guidance_scale", {}},
  };
  return fields;
}

/** Asks for nothing, whatever the field: null, "", [], {}, and objects of zeros, as a logit_bias can be. */
bool is_empty(const nlohmann::json& value) {
  if (value.is_string()) return value.get_ref<const std::string&>().empty();
  if (value.is_object()) return std::ranges::all_of(value, [](const nlohmann::json& entry) { return entry == 0; });
  return value.is_null() || (value.is_array() && value.empty());
}

void refuse(const std::string& param, const nlohmann::json& value, const std::string& accepted) {
  throw invalid_request(cat("'", param, "' is not supported with the value ", shown_json(value), ": leave it out",
                            accepted.empty() ? "" : ", or use ", accepted),
                        param, "unsupported");
}

/** `prefix` goes in front of the field's name in the error. */
void refuse_unsupported(const nlohmann::json& object, const NeutralValues& fields, const std::string& prefix = "") {
  for (const auto& [name, neutral] : fields) {
    const auto found = object.find(name);
    if (found == object.end() || is_empty(*found) || std::ranges::count(neutral, *found) > 0) continue;
    std::string accepted;
    for (const nlohmann::json& value : neutral) accepted += cat(accepted.empty() ? "" : " or ", value.dump());
    refuse(prefix + name, *found, accepted);
  }
}

/** Functions that the model may call: `choice` "none" forbids it to, and without functions "auto" does as well. */
void refuse_calls(const nlohmann::json& body, const char* functions, const char* choice) {
  const nlohmann::json* asked = find_field(body, choice);
  const bool none = asked != nullptr && *asked == "none";
  if (const nlohmann::json* list = find_field(body, functions); list != nullptr && !none && !is_empty(*list))
    refuse(functions, *list, "");
  if (asked != nullptr && !none && *asked != "auto" && !is_empty(*asked)) refuse(choice, *asked, R"("none" or "auto")");
}

}  // namespace

void refuse_unsupported_chat_fields(const nlohmann::json& body) {
  refuse_unsupported(body, chat_fields());
  refuse_calls(body, "tools", "tool_choice");
  refuse_calls(body, "functions", "function_call");
}

void refuse_unsupported_message_fields(const nlohmann::json& message, const std::string& param) {
  refuse_unsupported(message, message_fields(), param + ".");
}

void refuse_unsupported_image_fields(const nlohmann::json& body) {
  refuse_unsupported(body, image_fields());
}

}  // namespace diptych
