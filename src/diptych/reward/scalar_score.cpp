#include "diptych/reward/scalar_score.h"

#include <cmath>
#include <cstdlib>

#include "diptych/base/ascii.h"
#include "diptych/reward/judged_score.h"
#include "diptych/text/unicode.h"

namespace diptych {

namespace {

constexpr const char* kQuestion =
    "How well does this image show what the request asks for, and how well is it made? 1 is very bad, 5 is perfect. "
    "Reply with one number from 1 to 5 and nothing else.\nRequest: {prompt}";
constexpr int kMostAlternatives = 20;

std::vector<double> numbers_in(std::string_view text) {
  const std::string owned(text);
  std::vector<double> numbers;
  for (size_t at = 0; at < owned.size();) {
    if (!is_ascii_digit(owned[at])) {
      ++at;
      continue;
    }
    const size_t end = owned.find_first_not_of("0123456789.", at);
    numbers.push_back(std::strtod(owned.substr(at, end - at).c_str(), nullptr));
    at = end == owned.npos ? owned.size() : end;
    if (owned.compare(at, 2, "/5") == 0) at += 2;
  }
  return numbers;
}

Score score_reply(const ChatResult& result, const ScalarScoreOptions& options) {
  const ReadReply read = read_reply(result);
  if (!read.failure.empty()) return masked_score(read.failure);
  std::optional<double> rating;
  if (!options.from_logprobs) rating = written_rating(read.text);
  if (options.from_logprobs && !result.reply->tokens.empty()) rating = expected_rating(result.reply->tokens[0].top);
  if (!rating) return masked_score("no rating in: " + read.text);
  Score score;
  score.value = (*rating - 1) / 4;
  score.checks = {{"rating", *rating}};
  score.raw_reply = result.reply->text;
  return score;
}

}  // namespace

std::optional<double> written_rating(std::string_view reply) {
  const std::vector<double> numbers = numbers_in(reply);
  if (numbers.size() != 1 || !(numbers[0] >= 1 && numbers[0] <= 5)) return std::nullopt;
  return numbers[0];
}

std::optional<double> expected_rating(const std::vector<std::pair<std::string, double>>& top) {
  double sum = 0, total = 0;
  for (const auto& [token, logprob] : top) {
    const std::string_view digit = trim(token);
    if (digit.size() != 1 || digit[0] < '1' || digit[0] > '5') continue;
    sum += (digit[0] - '0') * std::exp(logprob);
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
