#include "diptych/reward/viescore.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "diptych/base/text_format.h"
#include "diptych/io/json.h"
#include "diptych/reward/judged_score.h"
#include "diptych/reward/viescore_prompts.h"
#include "diptych/text/unicode.h"

namespace diptych {

namespace {

using nlohmann::json;

constexpr std::string_view kDelimiter = "||V^=^V||";
constexpr int kVieScoreJpegQuality = 75;
constexpr int kVieScoreTokens = 2048;
constexpr int kVieScoreTokensOfAMark = 10;

/** From the first `open` to the last `close`, both included; empty if they are not there in this order. */
std::string_view between(std::string_view text, char open, char close) {
  const size_t begin = text.find(open);
  const size_t end = text.rfind(close);
  return begin == text.npos || end == text.npos || end < begin ? "" : text.substr(begin, end - begin + 1);
}

std::optional<json> parse(std::string_view text) {
  std::string line(text);
  std::replace(line.begin(), line.end(), '\n', ' ');  // judges break lines inside strings
  return parse_json(line);
}

/** The list or number after the word score in an object that is no JSON, such as one with quotes inside its reasoning.
 */
json score_of_broken_object(std::string_view object) {
  const size_t key = object.find("score");
  if (key == object.npos) return nullptr;
  const size_t begin = object.find_first_of("[0123456789", key);
  if (begin == object.npos) return nullptr;
  const bool is_list = object[begin] == '[';
  const size_t end = is_list ? object.find(']', begin) : object.find_first_not_of("0123456789.", begin);
  if (end == object.npos) return nullptr;
  return parse(object.substr(begin, end - begin + (is_list ? 1 : 0))).value_or(nullptr);
}

json score_in(std::string_view reply) {
  const size_t first = reply.find(kDelimiter);
  const size_t last = reply.rfind(kDelimiter);
  if (first != last) reply = reply.substr(first + kDelimiter.size(), last - first - kDelimiter.size());
  const std::string_view object = between(reply, '{', '}');
  if (object.empty()) {
    const std::string_view list = between(reply, '[', ']');
    return parse(list.empty() ? trim(reply) : list).value_or(nullptr);
  }
  const std::optional<json> parsed = parse(object);
  return parsed ? parsed->value("score", json()) : score_of_broken_object(object);
}

/** The reply's smallest rating, or why there is none. */
struct Rating {
  std::optional<double> smallest;
  std::string note;  // the reply or the failure
};

Rating smallest_rating(const ChatResult& result) {
  const ReadReply read = read_reply(result);
  if (!read.failure.empty()) return {std::nullopt, read.failure};
  const auto ratings = viescore_ratings(read.text);
  if (!ratings) return {std::nullopt, "no ratings in: " + read.text};
  return {*std::min_element(ratings->begin(), ratings->end()), read.text};
}

std::vector<ChatRequest> requests_of(const ScoredPair& pair, const VieScoreOptions& options) {
  const Image& result = pair.candidate->images.back();
  const ChatPart picture = image_part(shared_image(result), options.encoding, kVieScoreJpegQuality);
  if (!options.consistency.empty()) {
    const std::string consistency = fill_in(options.consistency, "{prompt}", pair.prompt->text);
    return {user_request({picture, text_part(consistency)}, kVieScoreTokensOfAMark),
            user_request({picture, text_part(options.quality)}, kVieScoreTokensOfAMark)};
  }
  const std::string quality = cat(kVieContext, "\n", kVieQuality);
  std::vector<ChatPart> consistency;
  if (pair.prompt->sources.empty()) {
    const std::string text = cat(kVieContext, "\n", kVieImageRule, "\n", kVieImageConsistency);
    consistency = {text_part(fill_in(text, "<prompt>", pair.prompt->text))};
  } else {
    const std::string text = cat(kVieContext, "\n", kVieEditRule, "\n", kVieEditConsistency);
    consistency = {text_part(fill_in(text, "<instruction>", pair.prompt->text)),
                   image_part(shared_image(pair.prompt->sources.front()), options.encoding, kVieScoreJpegQuality)};
  }
  consistency.push_back(picture);
  return {user_request(std::move(consistency), kVieScoreTokens),
          user_request({text_part(quality), picture}, kVieScoreTokens)};
}

Score score_of(std::span<const ChatResult> results) {
  const Rating consistency = smallest_rating(results[0]);
  const Rating quality = smallest_rating(results[1]);
  const std::string raw_reply = consistency.note + "\n" + quality.note;
  if (!consistency.smallest || !quality.smallest) return masked_score(raw_reply);
  Score score;
  score.value = std::sqrt(*consistency.smallest * *quality.smallest) / 10;
  score.checks = {{"semantic_consistency", *consistency.smallest}, {"perceptual_quality", *quality.smallest}};
  score.raw_reply = raw_reply;
  return score;
}

}  // namespace

std::optional<std::vector<double>> viescore_ratings(std::string_view reply) {
  const json score = score_in(reply);
  const json list = score.is_array() ? score : json::array({score});
  std::vector<double> ratings;
  for (const json& rating : list) {
    if (!rating.is_number() || !(rating >= 0 && rating <= 10)) return std::nullopt;
    ratings.push_back(rating);
  }
  return ratings.empty() ? std::nullopt : std::optional(ratings);
}

std::vector<Score> viescore(const std::vector<ScoredPair>& pairs, const ChatFunction& ask,
                            const VieScoreOptions& options) {
  return judged_scores(
      pairs, ask, [&](const ScoredPair& pair) { return requests_of(pair, options); },
      [](const ScoredPair&, std::span<const ChatResult> results) { return score_of(results); });
}

}  // namespace diptych
