#pragma once
// The common path of every reward that asks a model: requests of all candidates in one batch, then one score each.

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "diptych/reward/chat/chat.h"
#include "diptych/reward/task.h"

namespace diptych {

/** What a judge is asked about one candidate, which has an image. */
using RequestsOf = std::function<std::vector<ChatRequest>(const ScoredPair&)>;

/** The candidate's score from the results of its requests, in their order. */
using ScoreOf = std::function<Score(const ScoredPair&, std::span<const ChatResult>)>;

/** Asks the requests of all pairs in one call of `ask`. A candidate without an image fails and is not asked about. */
std::vector<Score> judged_scores(const std::vector<ScoredPair>& pairs, const ChatFunction& ask,
                                 const RequestsOf& requests_of, const ScoreOf& score_of);

/** A masked score: no value through no fault of the candidate. */
Score masked_score(std::string raw_reply, std::vector<Check> checks = {});

/** A user message of the parts, in their order, with sampling parameters that make replies repeatable. */
ChatRequest user_request(std::vector<ChatPart> parts, int max_tokens);

/** Parts of a message. */
ChatPart text_part(std::string text);
ChatPart image_part(SharedImage image, ImageEncoding encoding, int jpeg_quality);

/** `text` with every occurrence of the placeholder replaced. */
std::string fill_in(std::string_view text, std::string_view placeholder, std::string_view value);

/** One line for logs; bytes that are not UTF-8 become U+FFFD. */
std::string log_line(const nlohmann::json& value);

/** What a judge wrote after its thoughts, if it has any; or "" and why that cannot be read: no reply, or one cut short.
 */
struct ReadReply {
  std::string text;
  std::string failure;  // empty if and only if the text can be read
};
ReadReply read_reply(const ChatResult& result);

}  // namespace diptych
