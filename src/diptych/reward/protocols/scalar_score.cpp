#include "diptych/reward/protocols/scalar_score.h"

#include <algorithm>
#include <cmath>

#include "diptych/reward/chat/chat_json.h"
#include "diptych/reward/protocols/judged_score.h"
#include "diptych/reward/protocols/reply_words.h"

namespace diptych {

namespace {

constexpr const char* kQuestion =
    "How well does this image show what the request asks for, and how well is it made? 1 is very bad, 5 is perfect. "
    "Reply with one number from 1 to 5 and nothing else.\nRequest: {prompt}";
constexpr int kMostAlternatives = 20;

constexpr double kLowestScalar = 1, kHighestScalar = 5;

/** The digit 1 to 5 that a token is, but for white space and markup. */
std::optional<int> digit_of(const std::string& token) {
  const std::vector<ReplyWord> words = reply_words(plain_signs(token));
  if (words.size() != 1 || words[0].text.size() != 1 || words[0].text < "1" || words[0].text > "5") return std::nullopt;
  return words[0].text[0] - '0';
}

/** The expectation at the first token that is a digit, of a reply whose words are a rating. */
std::optional<double> likely_rating(const ChatReply& reply, const std::string& text) {
  if (!written_rating(text)) return std::nullopt;
  const auto token = std::find_if(reply.tokens.begin(), reply.tokens.end(),
                                  [](const ChatToken& candidate) { return digit_of(candidate.token).has_value(); });
  return token == reply.tokens.end() ? std::nullopt : expected_rating(token->top);
}

Score score_reply(const ChatResult& result, const ScalarScoreOptions& options) {
  const ReadReply read = read_reply(result);
  if (!read.failure.empty()) return masked_score(read.failure);
  const std::optional<double> rating =
      options.from_logprobs ? likely_rating(*result.reply, read.text) : written_rating(read.text);
  if (!rating) return masked_score("no rating in: " + excerpt(read.text));
  Score score;
  score.value = (*rating - kLowestScalar) / (kHighestScalar - kLowestScalar);
  score.checks = {{"rating", *rating}};
  score.raw_reply = result.reply->text;
  return score;
}

}  // namespace

std::optional<double> written_rating(std::string_view reply) {
  return rating_in_words(reply, kLowestScalar, kHighestScalar);
}

std::optional<double> expected_rating(const std::vector<std::pair<std::string, double>>& top) {
  double sum = 0, total = 0;
  for (const auto& [token, logprob] : top) {
    const std::optional<int> digit = digit_of(token);
    if (!digit) continue;
    sum += *digit * std::exp(logprob);
    total += std::exp(logprob);
  }
  if (!(total > 0) || !std::isfinite(sum)) return std::nullopt;
  return sum / total;
}

std::vector<Score> scalar_score(const std::vector<ScoredPair>& pairs, const ChatFunction& ask,
                                const ScalarScoreOptions& options) {
  const auto requests_of = [&](const ScoredPair& pair) {
    const std::string question =
        fill_in(options.question.empty() ? kQuestion : options.question, "{prompt}", pair.prompt->text);
    std::vector<ChatRequest> requests = {user_request(
        {image_part(shared_image(pair.candidate->images.back()), options.encoding, 95), text_part(question)}, 10)};
    if (options.from_logprobs) requests[0].top_logprobs = kMostAlternatives;
    return requests;
  };
  return judged_scores(pairs, ask, requests_of, [&](const ScoredPair&, std::span<const ChatResult> results) {
    return score_reply(results[0], options);
  });
}

}  // namespace diptych
