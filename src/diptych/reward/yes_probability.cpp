#include "diptych/reward/yes_probability.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "diptych/reward/judged_score.h"
#include "diptych/text/unicode.h"

namespace diptych {

namespace {

bool is_python_space(char32_t code_point) {
  return is_white_space(code_point) || (code_point >= 0x1C && code_point <= 0x1F);
}

std::string strip(std::string_view utf8) {
  std::size_t begin = utf8.size(), end = 0;
  for (std::size_t position = 0; position < utf8.size();) {
    const std::size_t start = position;
    if (is_python_space(next_code_point(utf8, &position))) continue;
    begin = std::min(begin, start);
    end = position;
  }
  return begin < end ? std::string(utf8.substr(begin, end - begin)) : "";
}

// Only ASCII letters are folded: no other character folds into the letters of yes and no.
std::string normalized(std::string_view text) {
  std::string word = strip(repair_utf8(text));
  std::erase_if(word, [](char c) { return c == '.' || c == ',' || c == '?' || c == '!'; });
  for (char& c : word)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return word;
}

struct YesNoMass {
  double yes = 0;
  double no = 0;
};

YesNoMass mass_of(const std::vector<std::pair<std::string, double>>& top) {
  YesNoMass mass;
  for (const auto& [token, logprob] : top) {
    const std::string word = normalized(token);
    if (word == "yes") mass.yes += std::exp(logprob);
    if (word == "no") mass.no += std::exp(logprob);
  }
  return mass;
}

std::string failure_of(const ChatResult& result) {
  if (!result.reply) return result.failure;
  const ChatReply& reply = *result.reply;
  if (!reply.reasoning.empty() || trim(reply.text).starts_with("<think"))
    return "the judge thinks before it answers; switch thinking off";
  if (reply.tokens.empty() || reply.tokens.front().top.empty()) return "the reply has no log-probabilities";
  for (const auto& [token, logprob] : reply.tokens.front().top)
    // Written so that NaN fails; servers round certainty to slightly above 0.
    if (!(logprob <= 1e-3)) return "log-probability " + std::to_string(logprob) + " of '" + token + "'";
  return "";
}

}  // namespace

double yes_probability(const std::vector<std::pair<std::string, double>>& top, std::string_view text) {
  const YesNoMass mass = mass_of(top);
  if (mass.yes + mass.no > 0) return mass.yes / (mass.yes + mass.no);
  return normalized(text) == "yes" ? 1 : 0;
}

double yes_no_mass(const std::vector<std::pair<std::string, double>>& top) {
  const YesNoMass mass = mass_of(top);
  return mass.yes + mass.no;
}

ChatRequest yes_no_request(SharedImage image, const std::string& question, const YesNoOptions& options) {
  ChatPart picture = image_part(std::move(image), options.encoding, options.jpeg_quality);
  ChatRequest request;
  if (!options.system_prompt.empty()) request.messages.push_back({"system", {text_part(options.system_prompt)}});
  request.messages.push_back({"user", {std::move(picture), text_part(question)}});
  request.top_p = 0.9;
  request.max_tokens = 10;
  request.top_logprobs = options.top_logprobs;
  return request;
}

YesNoAnswer yes_no_answer(const ChatResult& result) {
  const std::string failure = failure_of(result);
  if (!failure.empty()) return {std::nullopt, failure};
  return {yes_probability(result.reply->tokens.front().top, result.reply->text), ""};
}

std::string yes_no_record(const std::string& id, const std::string& question, const ChatResult& result) {
  const YesNoAnswer answer = yes_no_answer(result);
  nlohmann::ordered_json record = {{"id", id}, {"question", question}};
  if (answer.yes) record["v"] = *answer.yes;
  if (!answer.yes) record["failure"] = answer.failure;
  if (result.reply) {
    record["text"] = result.reply->text;
    if (!result.reply->tokens.empty()) record["top"] = result.reply->tokens.front().top;
  }
  return log_line(record);
}

}  // namespace diptych
