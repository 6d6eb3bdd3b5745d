#include "diptych/reward/scalar_score.h"

#include <cmath>

#include "diptych/reward/chat_json.h"
#include "diptych/reward/judged_score.h"
#include "diptych/reward/plain_reply.h"

namespace diptych {

namespace {

constexpr const char* kQuestion =
    "How well does this image show what the request asks for, and how well is it made? 1 is very bad, 5 is perfect. "
    "Reply with one number from 1 to 5 and nothing else.\nRequest: {prompt}";
constexpr int kMostAlternatives = 20;

/** What the token that rates says: the first that is a word. */
std::optional<double> rating_of_tokens(const std::vector<ChatToken>& tokens) {
  for (const ChatToken& token : tokens)
    if (!is_without_words(token.token)) return expected_rating(token.top);
  return std::nullopt;
}

Score score_reply(const ChatResult& result, const ScalarScoreOptions& options) {
  const ReadReply read = read_reply(result);
  if (!read.failure.empty()) return masked_score(read.failure);
  std::optional<double> rating;
  if (!options.from_logprobs) rating = written_rating(read.text);
  if (options.from_logprobs) rating = rating_of_tokens(result.reply->tokens);
  if (!rating) return masked_score("no rating in: " + excerpt(read.text));
  Score score;
  score.value = (*rating - 1) / 4;
  score.checks = {{"rating", *rating}};
  score.raw_reply = result.reply->text;
  return score;
}

}  // namespace

std::optional<double> written_rating(std::string_view reply) {
  return mark_within(said_mark(reply), 1, 5);
}

std::optional<double> expected_rating(const std::vector<std::pair<std::string, double>>& top) {
  double sum = 0, total = 0;
  for (const auto& [token, logprob] : top) {
    const std::optional<double> rating = written_rating(token);
    if (!rating) continue;
    sum += *rating * std::exp(logprob);
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
