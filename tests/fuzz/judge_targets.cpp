#include <cmath>
#include <nlohmann/json.hpp>

#include "diptych/io/http/retry_after.h"
#include "diptych/reward/chat/chat_json.h"
#include "diptych/reward/decompose/decompose_cache.h"
#include "diptych/reward/decompose/decompose_reply.h"
#include "diptych/reward/judge/response_cache.h"
#include "diptych/reward/protocols/scalar_score.h"
#include "diptych/reward/protocols/unified_reward.h"
#include "diptych/reward/protocols/viescore.h"
#include "diptych/reward/protocols/yes_probability.h"
#include "fuzz/target.h"

namespace diptych::fuzz {

namespace {

bool is_within(const std::optional<double>& value, double low, double high) {
  return !value || (*value >= low && *value <= high);
}

void read_reply_body(std::span<const std::byte> bytes) {
  const std::string body(as_text(bytes));
  static_cast<void>(parse_chat_reply(body, 0));
  const ChatParse parse = parse_chat_reply(body, 5);
  require(parse.reply.has_value() == parse.failure_text.empty(), "a reply with a failure, or neither");
  if (!parse.reply) return;
  const ChatResult result{.reply = parse.reply, .failure = {}};
  require(is_within(yes_no_answer(result).yes, 0, 1), "a probability outside [0, 1]");
  require(is_within(expected_rating(parse.reply->tokens.front().top), 1, 5), "a rating outside [1, 5]");
  static_cast<void>(yes_no_record("s1", "Is it red?", result));
  const ChatReply again = chat_reply_from_json(chat_reply_to_json(*parse.reply));
  require(again.text == parse.reply->text && again.tokens.size() == parse.reply->tokens.size(), "a reply lost in JSON");
}

/** What a judge wrote, read by every reward that could have asked it. */
void read_reply_text(std::span<const std::byte> bytes) {
  const std::string_view reply = as_text(bytes);
  require(is_within(written_rating(reply), 1, 5), "a written rating outside [1, 5]");
  require(is_within(unified_reward_rating(reply), 1, 5), "a final score outside [1, 5]");
  if (const auto ratings = viescore_ratings(reply))
    for (const double rating : *ratings) require(rating >= 0 && rating <= 10, "a rating outside [0, 10]");
  std::vector<std::string> texts;
  std::vector<InvalidQuestion> invalid;
  std::vector<AtomicQuestion> questions;
  static_cast<void>(parse_generate_reply(reply, &texts));
  static_cast<void>(parse_validate_reply(reply, 2, &invalid));
  static_cast<void>(parse_tag_reply(reply, 2, &texts));
  static_cast<void>(parse_quality_reply(reply, &questions));
}

void read_retry_after(std::span<const std::byte> bytes) {
  const std::optional<double> seconds = retry_after_seconds(std::string(as_text(bytes)), 1'700'000'000);
  require(!seconds || (std::isfinite(*seconds) && *seconds >= 0), "a wait that is none");
}

void read_response_cache(std::span<const std::byte> bytes) {
  const std::filesystem::path file = scratch_file("replies.jsonl", bytes);
  ResponseCache cache(3, file);
  static_cast<void>(cache.find("k"));
}

void read_decompose_cache(std::span<const std::byte> bytes) {
  const std::filesystem::path file = scratch_file("decompose.jsonl", bytes);
  const DecomposeCache cache(file, "model", [](const auto&) { return std::vector<ChatResult>(); });
}

const std::vector<std::string_view> kReplyWords = {"\"choices\"",
                                                   "\"message\"",
                                                   "\"content\"",
                                                   "\"logprobs\"",
                                                   "\"top_logprobs\"",
                                                   "\"token\"",
                                                   "\"logprob\"",
                                                   "\"reasoning_content\"",
                                                   "\"usage\"",
                                                   "\"error\"",
                                                   "\"object\"",
                                                   "Yes",
                                                   " yes.",
                                                   "No",
                                                   "1e-4",
                                                   "-1e308",
                                                   "\"code\"",
                                                   "\"key\"",
                                                   "\"reply\"",
                                                   "\"top\"",
                                                   "\"text\""};

const std::vector<std::string_view> kRatingWords = {
    "Final Score:",    "||V^=^V||",          "\"score\"",    "</think>", "```json\n", "4/5", "4.5", "\"number\": 1",
    "\"valid\": true", "\"tag\": \"Count\"", "\"question\"", "?\"",      "[[",        "]]",  "10",  "11"};

}  // namespace

std::vector<Target> judge_targets() {
  return {{.name = "judge_reply", .read = read_reply_body, .words = kReplyWords},
          {.name = "judge_text", .read = read_reply_text, .words = kRatingWords},
          {.name = "retry_after",
           .read = read_retry_after,
           .words = {"Wed, ", "21 Oct 2015", "07:28:00", "GMT", "+0200", "-", "Jan", "1969", "999999999"}},
          {.name = "response_cache", .read = read_response_cache, .words = kReplyWords},
          {.name = "decompose_cache", .read = read_decompose_cache, .words = kReplyWords}};
}

}  // namespace diptych::fuzz
