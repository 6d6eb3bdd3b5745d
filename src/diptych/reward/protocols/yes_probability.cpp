#include "diptych/reward/protocols/yes_probability.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "diptych/base/ascii.h"
#include "diptych/reward/chat/chat_json.h"
#include "diptych/reward/protocols/judged_score.h"
#include "diptych/reward/protocols/reply_words.h"
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

/** The same over alternatives that are yes or no but for signs around them, such as `**Yes`. */
YesNoMass mass_within_markup(const std::vector<std::pair<std::string, double>>& top) {
  YesNoMass mass;
  for (const auto& [token, logprob] : top) {
    const std::vector<ReplyWord> words = reply_words(plain_signs(token));
    const std::optional<bool> answer = words.size() == 1 ? yes_or_no(words[0].text) : std::nullopt;
    if (answer) (*answer ? mass.yes : mass.no) += std::exp(logprob);
  }
  return mass;
}

bool thinks_aloud(const ChatReply& reply) {
  return !reply.reasoning.empty() || trimmed(reply.text).starts_with("<think") ||
         reply.text.find("</think>") != std::string::npos;
}

std::string failure_of(const ChatResult& result) {
  if (!result.reply) return result.failure;
  const ChatReply& reply = *result.reply;
  if (thinks_aloud(reply)) return "the judge thinks before it answers; switch thinking off";
  if (reply.tokens.empty() || reply.tokens.front().top.empty()) return "the reply has no log-probabilities";
  for (const ChatToken& read : reply.tokens)
    for (const auto& [token, logprob] : read.top)
      // Written so that NaN fails; servers round certainty to slightly above 0.
      if (!(logprob <= 1e-3)) return "log-probability " + std::to_string(logprob) + " of '" + token + "'";
  return "";
}

/** The token in which the verdict begins. */
std::optional<size_t> token_of_verdict(const std::vector<ChatToken>& tokens) {
  std::string spelled;
  std::vector<size_t> ends;
  for (const ChatToken& token : tokens) {
    spelled += plain_signs(token.token);
    ends.push_back(spelled.size());
  }
  const std::optional<ReplyWord> verdict = yes_no_verdict(spelled);
  if (!verdict) return std::nullopt;
  return static_cast<size_t>(std::upper_bound(ends.begin(), ends.end(), verdict->begin) - ends.begin());
}

YesNoAnswer answer_at(size_t index, const YesNoMass& mass) {
  const double sum = mass.yes + mass.no;
  return {.yes = mass.yes / sum, .failure = "", .token = index, .coverage = sum};
}

/** The answer in the alternatives of one token, if there is one. */
std::optional<YesNoAnswer> answer_in_token(const std::vector<ChatToken>& tokens, size_t index, bool is_verdict) {
  const ChatToken& token = tokens[index];
  const YesNoMass plain = mass_of(token.top);
  const double sum = plain.yes + plain.no;
  if (sum > 0 && sum >= std::exp(token.logprob)) return answer_at(index, plain);
  if (!is_verdict) return std::nullopt;
  const YesNoMass marked = mass_within_markup(token.top);
  if (marked.yes + marked.no > 0) return answer_at(index, marked);
  return std::nullopt;
}

std::string no_judgement(const ChatReply& reply) {
  if (yes_no_verdict(plain_signs(reply.text)))
    return "the log-probabilities do not show the yes or no of: " + excerpt(reply.text);
  return (reply.finish_reason == "length" ? "the reply was cut off before a yes or no: "
                                          : "the reply reads neither yes nor no: ") +
         excerpt(reply.text);
}

}  // namespace

std::optional<double> yes_probability(const std::vector<std::pair<std::string, double>>& top, std::string_view text) {
  const YesNoMass mass = mass_of(top);
  if (mass.yes + mass.no > 0) return mass.yes / (mass.yes + mass.no);
  const std::string word = normalized(text);
  if (word == "yes") return 1;
  if (word == "no") return 0;
  return std::nullopt;
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
  if (!failure.empty()) return {.yes = std::nullopt, .failure = failure};
  const ChatReply& reply = *result.reply;
  const std::optional<size_t> verdict = token_of_verdict(reply.tokens);
  if (const auto answer = answer_in_token(reply.tokens, 0, verdict == 0)) return *answer;
  if (verdict)
    if (const auto answer = answer_in_token(reply.tokens, *verdict, true)) return *answer;
  // Yes and no are not among the alternatives: a reply that is nothing but one of them still counts.
  if (const auto yes = yes_probability({}, reply.text)) return {.yes = yes, .failure = ""};
  return {.yes = std::nullopt, .failure = no_judgement(reply)};
}

std::string yes_no_record(const std::string& id, const std::string& question, const ChatResult& result) {
  const YesNoAnswer answer = yes_no_answer(result);
  nlohmann::ordered_json record = {{"id", id}, {"question", question}};
  if (answer.yes) record["v"] = *answer.yes;
  if (!answer.yes) record["failure"] = answer.failure;
  if (result.reply) {
    record["text"] = result.reply->text;
    if (!result.reply->tokens.empty()) record["top"] = result.reply->tokens[answer.token].top;
  }
  return log_line(record);
}

}  // namespace diptych
