#include "diptych/reward/protocols/judged_score.h"

#include <cassert>
#include <nlohmann/json.hpp>

namespace diptych {

std::vector<Score> judged_scores(const std::vector<ScoredPair>& pairs, const ChatFunction& ask,
                                 const RequestsOf& requests_of, const ScoreOf& score_of) {
  std::vector<ChatRequest> requests;
  std::vector<size_t> counts;
  for (const ScoredPair& pair : pairs) {
    std::vector<ChatRequest> own;
    if (!pair.candidate->images.empty()) own = requests_of(pair);
    counts.push_back(own.size());
    std::move(own.begin(), own.end(), std::back_inserter(requests));
  }
  const std::vector<ChatResult> results = requests.empty() ? std::vector<ChatResult>() : ask(requests);
  assert(results.size() == requests.size());

  std::vector<Score> scores;
  std::span<const ChatResult> rest = results;
  for (size_t i = 0; i < pairs.size(); ++i) {
    if (pairs[i].candidate->images.empty()) {
      scores.push_back(
          {.value = std::nullopt, .checks = {}, .status = ScoreStatus::failed, .raw_reply = "no image to score"});
      continue;
    }
    scores.push_back(score_of(pairs[i], rest.first(counts[i])));
    rest = rest.subspan(counts[i]);
  }
  return scores;
}

Score masked_score(std::string raw_reply, std::vector<Check> checks) {
  return {.value = std::nullopt,
          .checks = std::move(checks),
          .status = ScoreStatus::masked,
          .raw_reply = std::move(raw_reply)};
}

ChatRequest user_request(std::vector<ChatPart> parts, int max_tokens) {
  ChatRequest request;
  request.messages = {{"user", std::move(parts)}};
  request.max_tokens = max_tokens;
  return request;
}

ChatPart text_part(std::string text) {
  ChatPart part;
  part.text = std::move(text);
  return part;
}

ChatPart image_part(SharedImage image, ImageEncoding encoding, int jpeg_quality) {
  ChatPart part;
  part.image = std::move(image);
  part.encoding = encoding;
  part.jpeg_quality = jpeg_quality;
  return part;
}

std::string fill_in(std::string_view text, std::string_view placeholder, std::string_view value) {
  std::string filled;
  size_t from = 0;
  for (size_t at = text.find(placeholder); at != text.npos; at = text.find(placeholder, from)) {
    filled.append(text.substr(from, at - from)).append(value);
    from = at + placeholder.size();
  }
  return filled.append(text.substr(from));
}

std::string log_line(const nlohmann::json& value) {
  return value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

ReadReply read_reply(const ChatResult& result) {
  if (!result.reply) return {"", result.failure};
  if (result.reply->finish_reason == "length") return {"", "the reply was cut off: " + result.reply->text};
  // What a judge thinks aloud is not its verdict, and may hold numbers of its own.
  const std::string& text = result.reply->text;
  const size_t thoughts_end = text.rfind("</think>");
  return {thoughts_end == text.npos ? text : text.substr(thoughts_end + std::string("</think>").size()), ""};
}

}  // namespace diptych
