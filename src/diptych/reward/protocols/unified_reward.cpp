#include "diptych/reward/protocols/unified_reward.h"

#include <algorithm>

#include "diptych/io/image/resize.h"
#include "diptych/reward/protocols/judged_score.h"
#include "diptych/reward/protocols/reply_words.h"

namespace diptych {

namespace {

constexpr int kUnifiedRewardSide = 512;
constexpr int kUnifiedRewardJpegQuality = 85;
constexpr int kUnifiedRewardTokens = 512;

// Prompt of the pointwise score, versions 1 and 1.5 (github.com/CodeGoat24/UnifiedReward; MIT, Copyright (c) 2025 Yibin
// Wang, LICENSES/UnifiedReward-MIT.txt), unmodified. {prompt} is filled in.
constexpr std::string_view kUnifiedRewardPrompt =
    R"(You are given a text caption and a generated image based on that caption. Your task is to evaluate this image based on two key criteria:
1. Alignment with the Caption: Assess how well this image aligns with the provided caption. Consider the accuracy of depicted objects, their relationships, and attributes as described in the caption.
2. Overall Image Quality: Examine the visual quality of this image, including clarity, detail preservation, color accuracy, and overall aesthetic appeal.
Extract key elements from the provided text caption, evaluate their presence in the generated image using the format: 'element (type): value' (where value=0 means not generated, and value=1 means generated), and assign a score from 1 to 5 after 'Final Score:'.
Your task is provided as follows:
Text Caption: [{prompt}])";

/** Where the next "Final Score" begins, from the word `from` on; npos if there is none. */
size_t next_final_score(const std::vector<ReplyWord>& words, size_t from) {
  for (size_t i = from; i + 1 < words.size(); ++i)
    if (words[i].text == "final" && words[i + 1].text == "score") return words[i].begin;
  return std::string::npos;
}

}  // namespace

std::optional<double> unified_reward_rating(std::string_view reply) {
  const std::string text = plain_signs(reply);
  const std::vector<ReplyWord> words = reply_words(text);
  for (size_t i = 0; i + 2 < words.size(); ++i) {
    if (words[i].text != "final" || words[i + 1].text != "score") continue;
    size_t rating = i + 2;
    while (rating + 1 < words.size() && announces_rating(words[rating].text)) ++rating;
    if (!number_of_word(words[rating].text)) continue;
    // What follows on other lines, such as scores of single words, is not the final score's.
    const size_t end = std::min(text.find('\n', words[rating].end), next_final_score(words, rating));
    return rating_in_words(std::string_view(text).substr(words[i + 1].end, end - words[i + 1].end), 1, 5);
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
