#include "diptych/serve/requests/chat_request.h"

#include "diptych/base/text_format.h"
#include "diptych/serve/api_error.h"
#include "diptych/serve/requests/json_fields.h"
#include "diptych/serve/requests/request_image.h"
#include "diptych/serve/requests/request_images.h"
#include "diptych/serve/requests/unsupported_fields.h"

namespace diptych {

namespace {

constexpr int64_t kMostTopLogprobs = 20;
constexpr size_t kMostStops = 16;
constexpr size_t kLongestStop = 1024;  // bytes

void add_text(std::vector<ContextPart>& parts, const nlohmann::json& text, const std::string& param) {
  if (!text.is_string()) throw invalid_request(cat("'", param, "' must be a string, not ", shown_json(text)), param);
  if (!text.get_ref<const std::string&>().empty()) parts.push_back({text.get<std::string>(), std::nullopt});
}

void add_part(std::vector<ContextPart>& parts, const nlohmann::json& part, const std::string& param,
              RequestImages& images) {
  if (!part.is_object()) throw invalid_request(cat("'", param, "' must be an object, not ", shown_json(part)), param);
  const std::string type = string_field(part, "type", "");
  if (type == "text") {
    add_text(parts, part.value("text", nlohmann::json()), param + ".text");
  } else if (type == "image_url") {
    const std::string place = param + ".image_url";
    const nlohmann::json value = part.value("image_url", nlohmann::json());
    parts.push_back({"", images.take(place, [&](int64_t most) { return image_of_json(value, place, most); })});
  } else {
    throw invalid_request(cat("'", param, ".type' must be 'text' or 'image_url', not '", type, "'"), param + ".type");
  }
}

void add_message(std::vector<ContextPart>& parts, const nlohmann::json& message, const std::string& param,
                 RequestImages& images) {
  if (!message.is_object())
    throw invalid_request(cat("'", param, "' must be an object, not ", shown_json(message)), param);
  const std::string role = string_field(message, "role", "");
  if (role != "system" && role != "developer" && role != "user" && role != "assistant")
    throw invalid_request(cat("'", param, ".role' must be system, developer, user or assistant, not '", role, "'"),
                          param + ".role");
  refuse_unsupported_message_fields(message, param);
  const nlohmann::json* content = find_field(message, "content");
  if (content == nullptr) return;
  if (!content->is_array()) return add_text(parts, *content, param + ".content");
  for (size_t i = 0; i < content->size(); ++i) add_part(parts, (*content)[i], cat(param, ".content[", i, "]"), images);
}

std::vector<ContextPart> parts_of(const nlohmann::json& body, const ServeSettings& settings) {
  const nlohmann::json* messages = find_field(body, "messages");
  if (messages == nullptr || !messages->is_array() || messages->empty())
    throw invalid_request("'messages' must be a list of at least one message", "messages");
  std::vector<ContextPart> parts;
  RequestImages images(settings);
  for (size_t i = 0; i < messages->size(); ++i) add_message(parts, (*messages)[i], cat("messages[", i, "]"), images);
  if (parts.empty()) throw invalid_request("the messages hold neither text nor image", "messages");
  return parts;
}

std::vector<std::string> stops_of(const nlohmann::json& body) {
  const nlohmann::json* value = find_field(body, "stop");
  if (value == nullptr || *value == "") return {};
  const nlohmann::json list = value->is_string() ? nlohmann::json::array({*value}) : *value;
  const std::string expected =
      cat("'stop' must be a string or a list of at most ", kMostStops, " strings of 1 to ", kLongestStop, " bytes");
  if (!list.is_array() || list.size() > kMostStops)
    throw invalid_request(cat(expected, ", not ", shown_json(*value)), "stop");
  std::vector<std::string> stops;
  for (const nlohmann::json& stop : list) {
    const size_t bytes = stop.is_string() ? stop.get_ref<const std::string&>().size() : 0;
    if (bytes == 0 || bytes > kLongestStop) throw invalid_request(cat(expected, ", not ", shown_json(stop)), "stop");
    stops.push_back(stop.get<std::string>());
  }
  return stops;
}

/** Some clients write -1 for "as many as there may be". */
int64_t max_tokens_of(const nlohmann::json& body, int64_t most) {
  for (const char* key : {"max_completion_tokens", "max_tokens"}) {
    const nlohmann::json* value = find_field(body, key);
    const bool is_given = value != nullptr && !(value->is_number() && value->get<double>() == -1);
    if (is_given) return clamped_field(body, key, most, 1, most);
  }
  return most;
}

TextStage text_stage(const nlohmann::json& body, const ServeSettings& settings) {
  TextStage stage;
  stage.sampling.temperature = number_field(body, "temperature", 1, 0, 100);
  stage.sampling.top_p = number_field(body, "top_p", 1, 0, 1);
  stage.sampling.top_k = std::max<int64_t>(0, integer_field(body, "top_k", 0, -1, INT32_MAX));
  stage.sampling.max_tokens = max_tokens_of(body, settings.max_tokens);
  stage.logprobs = bool_field(body, "logprobs", false);
  stage.top_logprobs = integer_field(body, "top_logprobs", 0, 0, kMostTopLogprobs);
  if (stage.top_logprobs > 0 && !stage.logprobs)
    throw invalid_request("'top_logprobs' needs 'logprobs': true", "top_logprobs");
  stage.stops = stops_of(body);
  return stage;
}

}  // namespace

ChatCall parse_chat(std::string_view body, const ServeSettings& settings) {
  const nlohmann::json object = parse_object(body);
  refuse_unsupported_chat_fields(object);
  ChatCall call;
  call.stream = bool_field(object, "stream", false);
  if (const nlohmann::json* options = find_field(object, "stream_options"); options != nullptr) {
    if (!options->is_object()) throw invalid_request("'stream_options' must be an object", "stream_options");
    call.include_usage = bool_field(*options, "include_usage", false);
  }
  call.job.text = text_stage(object, settings);
  call.job.count = integer_field(object, "n", 1, 1, settings.max_choices);
  call.job.seed = seed_field(object);
  call.job.image_context = settings.image_context;
  call.job.context = parts_of(object, settings);
  return call;
}

}  // namespace diptych
