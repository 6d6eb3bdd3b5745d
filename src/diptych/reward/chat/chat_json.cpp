#include "diptych/reward/chat/chat_json.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "diptych/base/ascii.h"
#include "diptych/base/text_format.h"
#include "diptych/io/json.h"
#include "diptych/text/unicode.h"

namespace diptych {

using nlohmann::json;

namespace {

constexpr double kLogprobTolerance = 1e-3;
constexpr size_t kExcerptBytes = 300;

/** What is wrong with a reply; leaves the parser. */
struct Fault {
  ChatFailure failure;
  std::string text;
  int status = 0;
};

[[noreturn]] void malformed(const std::string& text) {
  throw Fault{ChatFailure::malformed, text};
}

const json& member(const json& value, const char* name) {
  static const json kNull;
  if (!value.is_object()) return kNull;
  const auto found = value.find(name);
  return found == value.end() ? kNull : *found;
}

std::string text_of_content(const json& content) {
  if (content.is_null()) return "";
  if (content.is_string()) return content.get<std::string>();
  if (!content.is_array()) malformed("the content of the message is neither a text nor a list of parts");
  std::string text;
  for (const json& part : content) {
    const json& piece = part.is_string() ? part : member(part, "text");
    if (piece.is_string()) text += piece.get<std::string>();
  }
  return text;
}

std::string reasoning_of(const json& message) {
  for (const char* name : {"reasoning_content", "reasoning"}) {
    const json& value = member(message, name);
    if (value.is_string() && !trimmed(value.get<std::string>()).empty()) return value.get<std::string>();
  }
  return "";
}

std::string token_of(const json& entry) {
  const json& token = member(entry, "token");
  if (!token.is_string()) malformed("a token of the log-probabilities has no text");
  return token.get<std::string>();
}

double logprob_of(const json& entry) {
  const json& value = member(entry, "logprob");
  // NaN and infinity travel as null.
  if (!value.is_number())
    throw Fault{ChatFailure::bad_logprobs, cat("the log-probability of '", token_of(entry), "' is ", value.dump())};
  const double logprob = value.get<double>();
  if (logprob > kLogprobTolerance)
    throw Fault{ChatFailure::bad_logprobs, cat("the log-probability of '", token_of(entry), "' is ", logprob, " > 0")};
  return std::min(logprob, 0.0);
}

ChatToken read_token(const json& entry) {
  ChatToken token{token_of(entry), logprob_of(entry), {}};
  const json& alternatives = member(entry, "top_logprobs");
  if (!alternatives.is_array() || alternatives.empty())
    throw Fault{ChatFailure::no_logprobs, cat("the reply has no top_logprobs for '", token.token, "'")};
  for (const json& alternative : alternatives) token.top.emplace_back(token_of(alternative), logprob_of(alternative));
  const bool is_listed = std::any_of(token.top.begin(), token.top.end(),
                                     [&](const auto& alternative) { return alternative.first == token.token; });
  if (!is_listed) token.top.emplace_back(token.token, token.logprob);
  return token;
}

/** A token behind the first: servers leave holes here, at end tokens above all. */
ChatToken read_later_token(const json& entry) {
  try {
    return read_token(entry);
  } catch (const Fault&) {
    const json& text = member(entry, "token");
    return {text.is_string() ? text.get<std::string>() : "", 0, {}};
  }
}

std::vector<ChatToken> read_tokens(const json& choice) {
  const json& entries = member(member(choice, "logprobs"), "content");
  if (!entries.is_array() || entries.empty())
    throw Fault{ChatFailure::no_logprobs, "the reply has no log-probabilities, though they were asked for"};
  std::vector<ChatToken> tokens;
  for (const json& entry : entries) tokens.push_back(tokens.empty() ? read_token(entry) : read_later_token(entry));
  return tokens;
}

// Finish reasons of a filter or a refusal: OpenAI's and Azure's, Anthropic's, Gemini's where a gateway passes them on.
constexpr std::array kDecliningReasons = {
    "content_filter", "refusal", "safety",       "prohibited_content", "recitation",
    "blocklist",      "spii",    "image_safety", "sensitive",          "guardrail_intervened"};

// Codes and types of errors: OpenAI's, Azure's, LiteLLM's, DashScope's.
constexpr std::array kDecliningCodes = {"content_filter", "content_policy_violation", "responsibleaipolicyviolation",
                                        "datainspectionfailed", "data_inspection_failed"};

// OpenAI's, Moonshot's, DeepSeek's and those of gateways.
constexpr std::array kQuotaCodes = {"insufficient_quota",   "insufficient_balance",
                                    "insufficient_credits", "exceeded_current_quota_error",
                                    "billing_not_active",   "billing_hard_limit_reached"};

template <size_t N>
bool is_among(const json& value, const std::array<const char*, N>& names) {
  if (!value.is_string()) return false;
  const std::string name = ascii_lower(value.get<std::string>());
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string refusal_of(const json& message) {
  const auto text_of = [](const json& refusal) {
    return refusal.is_string() ? std::string(trimmed(refusal.get_ref<const std::string&>())) : "";
  };
  std::string refusal = text_of(member(message, "refusal"));
  const json& content = member(message, "content");
  if (content.is_array())
    for (const json& part : content) refusal += text_of(member(part, "refusal"));
  return refusal;
}

/** A judge that will not look at a picture, or whose server does not let it. */
void throw_if_declined(const json& choice) {
  const std::string refusal = refusal_of(member(choice, "message"));
  if (!refusal.empty()) throw Fault{ChatFailure::declined, cat("the judge declined: ", excerpt(refusal))};
  const json& reason = member(choice, "finish_reason");
  if (is_among(reason, kDecliningReasons))
    throw Fault{ChatFailure::declined, cat("the judge declined: finish_reason ", reason.get<std::string>())};
}

/** The object that describes an error: {"error": {...}}, vLLM's own form, or Gemini's list of one. */
const json& error_of(const json& value) {
  const json& body = value.is_array() && value.size() == 1 ? value[0] : value;
  return member(body, "object") == "error" ? body : member(body, "error");
}

std::optional<ChatFailure> failure_of_error(const json& error) {
  for (const json* name :
       {&member(error, "code"), &member(error, "type"), &member(member(error, "innererror"), "code")}) {
    if (is_among(*name, kDecliningCodes)) return ChatFailure::declined;
    if (is_among(*name, kQuotaCodes)) return ChatFailure::no_quota;
  }
  return std::nullopt;
}

int64_t count_of(const json& usage, const char* name) {
  const json& value = member(usage, name);
  return value.is_number_integer() ? value.get<int64_t>() : 0;
}

/** Some servers send errors with status 200. */
void throw_error_object(const json& value) {
  const json& error = error_of(value);
  if (error.is_null()) return;
  const json& message = error.is_string() ? error : member(error, "message");
  const json& code = member(error, "code");
  throw Fault{failure_of_error(error).value_or(ChatFailure::server_error),
              cat("the server reports an error: ", excerpt(message.is_string() ? message.get<std::string>() : "")),
              code.is_number_integer() ? code.get<int>() : 0};
}

ChatReply read_reply(const std::string& body, int top_logprobs) {
  const std::optional<json> parsed = parse_json(body);
  if (!parsed) malformed(cat("the reply is no valid JSON: ", excerpt(body)));
  const json& value = *parsed;
  throw_error_object(value);
  const json& choices = member(value, "choices");
  if (!choices.is_array() || choices.empty()) malformed(cat("the reply has no choices: ", excerpt(body)));
  const json& choice = choices[0];
  const json& message = member(choice, "message");
  throw_if_declined(choice);
  if (!message.is_object()) malformed("the reply has no message");

  ChatReply reply;
  reply.text = text_of_content(member(message, "content"));
  reply.reasoning = reasoning_of(message);
  if (member(message, "content").is_null() && reply.reasoning.empty()) malformed("the message has no content");
  const json& finish_reason = member(choice, "finish_reason");
  if (finish_reason.is_string()) reply.finish_reason = finish_reason.get<std::string>();
  if (top_logprobs > 0) reply.tokens = read_tokens(choice);
  reply.prompt_tokens = count_of(member(value, "usage"), "prompt_tokens");
  reply.completion_tokens = count_of(member(value, "usage"), "completion_tokens");
  return reply;
}

json content_of(const ChatMessage& message) {
  if (message.parts.size() == 1 && !message.parts[0].image) return message.parts[0].text;
  json content = json::array();
  for (const ChatPart& part : message.parts)
    content.push_back(part.image ? json{{"type", "image_url"}, {"image_url", {{"url", ""}}}}
                                 : json{{"type", "text"}, {"text", part.text}});
  return content;
}

}  // namespace

std::string chat_messages(const ChatRequest& request, std::span<const std::string_view> image_urls) {
  json messages = json::array();
  for (const ChatMessage& message : request.messages)
    messages.push_back({{"role", message.role}, {"content", content_of(message)}});
  // Sampled texts can end inside a character.
  const std::string frame = messages.dump(-1, ' ', false, json::error_handler_t::replace);
  // The urls are put in afterwards: as JSON strings, megabytes of base64 would be looked through for escapes. A text
  // cannot hold the gap, since its quotes are escaped.
  const std::string_view gap = "\"url\":\"\"";
  std::string text;
  size_t done = 0;
  for (const std::string_view url : image_urls) {
    const size_t place = frame.find(gap, done) + gap.size() - 1;
    text.append(frame, done, place - done).append(url);
    done = place;
  }
  return text.append(frame, done);
}

json chat_parameters(const ChatRequest& request) {
  json parameters{{"temperature", request.temperature},
                  {"top_p", request.top_p},
                  {"max_tokens", request.max_tokens},
                  {"seed", request.seed}};
  if (request.top_logprobs > 0) {
    parameters["logprobs"] = true;
    parameters["top_logprobs"] = request.top_logprobs;
  }
  return parameters;
}

ChatParse parse_chat_reply(const std::string& body, int top_logprobs) {
  ChatParse parse;
  try {
    parse.reply = read_reply(body, top_logprobs);
  } catch (const Fault& fault) {
    parse.failure = fault.failure;
    parse.failure_text = fault.text;
    parse.status = fault.status;
  }
  return parse;
}

std::optional<ChatFailure> failure_of_error_body(const std::string& body) {
  const std::optional<json> value = parse_json(body);
  return value ? failure_of_error(error_of(*value)) : std::nullopt;
}

json chat_reply_to_json(const ChatReply& reply) {
  json tokens = json::array();
  for (const ChatToken& token : reply.tokens)
    tokens.push_back({{"token", token.token}, {"logprob", token.logprob}, {"top", token.top}});
  return {{"text", reply.text},
          {"reasoning", reply.reasoning},
          {"finish_reason", reply.finish_reason},
          {"tokens", std::move(tokens)},
          {"prompt_tokens", reply.prompt_tokens},
          {"completion_tokens", reply.completion_tokens}};
}

ChatReply chat_reply_from_json(const json& value) {
  ChatReply reply;
  reply.text = value.at("text").get<std::string>();
  reply.reasoning = value.at("reasoning").get<std::string>();
  reply.finish_reason = value.at("finish_reason").get<std::string>();
  for (const json& token : value.at("tokens"))
    reply.tokens.push_back({token.at("token").get<std::string>(), token.at("logprob").get<double>(),
                            token.at("top").get<std::vector<std::pair<std::string, double>>>()});
  reply.prompt_tokens = value.at("prompt_tokens").get_ref<const int64_t&>();
  reply.completion_tokens = value.at("completion_tokens").get_ref<const int64_t&>();
  return reply;
}

std::string excerpt(const std::string& text) {
  std::string line = text.substr(0, kExcerptBytes);
  std::replace_if(
      line.begin(), line.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; }, ' ');
  line = repair_utf8(line);
  return text.size() > kExcerptBytes ? line + "..." : line;
}

}  // namespace diptych
