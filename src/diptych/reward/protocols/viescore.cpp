#include "diptych/reward/protocols/viescore.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "diptych/base/ascii.h"
#include "diptych/base/text_format.h"
#include "diptych/io/json.h"
#include "diptych/reward/protocols/judged_score.h"
#include "diptych/reward/protocols/reply_words.h"

namespace diptych {

namespace {

using nlohmann::json;

constexpr std::string_view kDelimiter = "||V^=^V||";
constexpr int kVieScoreJpegQuality = 75;
constexpr int kVieScoreTokens = 2048;
constexpr int kVieScoreTokensOfAMark = 10;
constexpr double kHighestVieRating = 10;

// Prompts of VIEScore (github.com/TIGER-AI-Lab/VIEScore, viescore/prompts_raw; MIT, Copyright (c) 2024 Max W.F. Ku,
// LICENSES/VIEScore-MIT.txt), unmodified. <prompt> and <instruction> are filled in.

constexpr std::string_view kVieContext =
    R"(You are a professional digital artist. You will have to evaluate the effectiveness of the AI-generated image(s) based on given rules.
All the input images are AI-generated. All human in the images are AI-generated too. so you need not worry about the privacy confidentials.

You will have to give your output in this way (Keep your reasoning concise and short.):
{
"score" : [...],
"reasoning" : "..."
})";

constexpr std::string_view kVieImageRule = R"(RULES:

The image is an AI-generated image according to the text prompt.
The objective is to evaluate how successfully the image has been generated.
)";

constexpr std::string_view kVieImageConsistency = R"(From scale 0 to 10: 
A score from 0 to 10 will be given based on the success in following the prompt. 
(0 indicates that the AI generated image does not follow the prompt at all. 10 indicates the AI generated image follows the prompt perfectly.)

Put the score in a list such that output score = [score].

Text Prompt: <prompt>
)";

constexpr std::string_view kVieEditRule = R"(RULES:

Two images will be provided: The first being the original AI-generated image and the second being an edited version of the first.
The objective is to evaluate how successfully the editing instruction has been executed in the second image.

Note that sometimes the two images might look identical due to the failure of image edit.
)";

constexpr std::string_view kVieEditConsistency = R"(
From scale 0 to 10: 
A score from 0 to 10 will be given based on the success of the editing. (0 indicates that the scene in the edited image does not follow the editing instruction at all. 10 indicates that the scene in the edited image follow the editing instruction text perfectly.)
A second score from 0 to 10 will rate the degree of overediting in the second image. (0 indicates that the scene in the edited image is completely different from the original. 10 indicates that the edited image can be recognized as a minimal edited yet effective version of original.)
Put the score in a list such that output score = [score1, score2], where 'score1' evaluates the editing success and 'score2' evaluates the degree of overediting.

Editing instruction: <instruction>
)";

constexpr std::string_view kVieQuality = R"(RULES:

The image is an AI-generated image.
The objective is to evaluate how successfully the image has been generated.

From scale 0 to 10: 
A score from 0 to 10 will be given based on image naturalness. 
(
    0 indicates that the scene in the image does not look natural at all or give a unnatural feeling such as wrong sense of distance, or wrong shadow, or wrong lighting. 
    10 indicates that the image looks natural.
)
A second score from 0 to 10 will rate the image artifacts. 
(
    0 indicates that the image contains a large portion of distortion, or watermark, or scratches, or blurred faces, or unusual body parts, or subjects not harmonized. 
    10 indicates the image has no artifacts.
)
Put the score in a list such that output score = [naturalness, artifacts]
)";

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

/** The value behind a key "score" of an object that is no JSON, such as one with quotes inside its reasoning: a list or
 * a number. null where it is neither. */
json value_of_broken_object(std::string_view rest) {
  const size_t colon = rest.find_first_not_of("\"' \t\r\n");
  if (colon == rest.npos || rest[colon] != ':') return nullptr;
  const size_t begin = rest.find_first_not_of(" \t\r\n", colon + 1);
  if (begin == rest.npos) return nullptr;
  const bool is_list = rest[begin] == '[';
  const size_t end = is_list ? rest.find(']', begin) : rest.find_first_of(",}\n", begin);
  if (end == rest.npos) return nullptr;
  const std::string_view value = rest.substr(begin, end - begin + (is_list ? 1 : 0));
  if (const std::optional<json> parsed = parse(value)) return *parsed;
  return is_list ? json() : json(std::string(value));
}

/** The value of "score" in an object that is no JSON. A key stands behind a brace or comma, unlike the word in prose.
 * null for none, and for keys that disagree. */
json score_of_broken_object(std::string_view object) {
  constexpr std::string_view kKey = "score";
  json score;
  const std::string folded = ascii_lower(object);
  for (size_t at = folded.find(kKey); at != folded.npos; at = folded.find(kKey, at + 1)) {
    const size_t before = at == 0 ? object.npos : object.find_last_not_of("\"' \t\r\n", at - 1);
    if (before == object.npos || (object[before] != '{' && object[before] != ',')) continue;
    const json value = value_of_broken_object(object.substr(at + kKey.size()));
    if (value.is_null()) continue;
    if (!score.is_null() && score != value) return nullptr;
    score = value;
  }
  return score;
}

/** The member "score", however it is capitalised; null for none, and for several. */
json score_of_object(const json& object) {
  json score;
  for (const auto& [key, value] : object.items()) {
    if (ascii_lower(key) != "score") continue;
    if (!score.is_null()) return nullptr;
    score = value;
  }
  return score;
}

json score_in(std::string_view reply) {
  const size_t first = reply.find(kDelimiter);
  const size_t last = reply.rfind(kDelimiter);
  if (first != last) reply = reply.substr(first + kDelimiter.size(), last - first - kDelimiter.size());
  if (const std::string_view object = between(reply, '{', '}'); object.find(':') != object.npos) {
    const std::optional<json> parsed = parse(object);
    return parsed ? score_of_object(*parsed) : score_of_broken_object(object);
  }
  const std::string_view list = between(reply, '[', ']');
  if (list.empty()) {
    const bool is_cut_off =
        std::count(reply.begin(), reply.end(), '{') != std::count(reply.begin(), reply.end(), '}') ||
        reply.find('[') != reply.npos;
    return is_cut_off ? json() : json(std::string(reply));
  }
  const std::string_view ahead = reply.substr(0, static_cast<size_t>(list.data() - reply.data()));
  return announces_rating(ahead) ? parse(list).value_or(nullptr) : json();
}

/** A rating as a number, or in words such as "8", "8/10" and "8.5 out of 10". */
std::optional<double> rating_of(const json& value) {
  if (value.is_string()) return rating_in_words(value.get_ref<const std::string&>(), 0, kHighestVieRating);
  if (!value.is_number() || !(value >= 0 && value <= kHighestVieRating)) return std::nullopt;
  return value.get<double>();
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
  const json score = score_in(plain_signs(reply));
  const json list = score.is_array() ? score : json::array({score});
  std::vector<double> ratings;
  for (const json& value : list) {
    const std::optional<double> rating = rating_of(value);
    if (!rating) return std::nullopt;
    ratings.push_back(*rating);
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
