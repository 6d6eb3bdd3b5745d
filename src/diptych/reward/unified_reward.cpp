#include "diptych/reward/unified_reward.h"

#include <cstdlib>

#include "diptych/base/ascii.h"
#include "diptych/io/resize.h"
#include "diptych/reward/judged_score.h"
#include "diptych/reward/unified_reward_prompt.h"

namespace diptych {

namespace {

constexpr std::string_view kMarker = "Final Score:";
constexpr int kUnifiedRewardSide = 512;
constexpr int kUnifiedRewardJpegQuality = 85;
constexpr int kUnifiedRewardTokens = 512;

}  // namespace

std::optional<double> unified_reward_rating(std::string_view reply) {
  for (size_t at = reply.find(kMarker); at != reply.npos; at = reply.find(kMarker, at + 1)) {
    const size_t begin = reply.find_first_not_of(" \t\r\n\f\v", at + kMarker.size());
    if (begin == reply.npos || reply[begin] < '1' || reply[begin] > '5') continue;
    size_t end = begin + 1;
    if (end + 1 < reply.size() && reply[end] == '.' && is_ascii_digit(reply[end + 1]))
      for (++end; end < reply.size() && is_ascii_digit(reply[end]);) ++end;
    const double rating = std::strtod(std::string(reply.substr(begin, end - begin)).c_str(), nullptr);
    return rating <= 5 ? std::optional(rating) : std::nullopt;
  }
  return std::nullopt;
}

std::vector<Score> unified_reward(const std::vector<ScoredPair>& pairs, const ChatFunction& ask) {
  const auto requests_of = [](const ScoredPair& pair) -> std::vector<ChatRequest> {
    return {user_request(
        {image_part(shared_image(resize_bicubic(pair.candidate->images.back(), kUnifiedRewardSide, kUnifiedRewardSide)),
                    ImageEncoding::jpeg, kUnifiedRewardJpegQuality),
         text_part(fill_in(kUnifiedRewardPrompt, "{prompt}", pair.prompt->text))},
        kUnifiedRewardTokens)};
  };
  return judged_scores(pairs, ask, requests_of, [](const ScoredPair&, std::span<const ChatResult> results) {
    const ReadReply read = read_reply(results[0]);
    if (!read.failure.empty()) return masked_score(read.failure);
    const std::optional<double> rating = unified_reward_rating(read.text);
    if (!rating) return masked_score("no final score in: " + read.text);
    Score score;
    score.value = *rating / 5;
    score.checks = {{"rating", *rating}};
    score.raw_reply = results[0].reply->text;
    return score;
  });
}

}  // namespace diptych
