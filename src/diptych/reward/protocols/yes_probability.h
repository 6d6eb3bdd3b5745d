#pragma once
// How likely a judge says yes, read from the log-probabilities of its first word.

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "diptych/reward/chat/chat.h"

namespace diptych {

/** v = Y / (Y + N), where Y and N sum exp(log-probability) over the tokens that read yes and no: lower-cased, then
 *  without white space at both ends (as Python's str.strip), then without any of . , ? ! (in this order, once, so that
 *  "yes ." does not count). If Y + N is 0, v is 1 or 0 if the whole text reads yes or no. AlphaGRPO rewards.py,
 *  calculate_confidence_score, but for any other text, which is no judgement: nullopt, where the released code says 0.
 */
std::optional<double> yes_probability(const std::vector<std::pair<std::string, double>>& top, std::string_view text);

/** How a yes/no question is put. Defaults: AlphaGRPO's. */
struct YesNoOptions {
  std::string system_prompt;  // empty: no system message
  ImageEncoding encoding = ImageEncoding::jpeg;
  int jpeg_quality = 95;
  int top_logprobs = 5;
};

/** System message, if any; then one user message, the image first and the question after it. Temperature 0, top_p 0.9,
 *  10 tokens. */
ChatRequest yes_no_request(SharedImage image, const std::string& question, const YesNoOptions& options);

struct YesNoAnswer {
  std::optional<double> yes;  // v
  std::string failure;        // why there is no v; empty if and only if there is one
  size_t token = 0;           // of the reply, whose alternatives were read
  double coverage = 0;        // probability of that token's alternatives that read yes or no
};

/** The answer in a result. The first token counts by AlphaGRPO's formula if yes and no together are at least as likely
 *  as what was written. Else the token in which the verdict begins: the first word of the reply, behind markup and
 *  announcements such as "Answer:" (reward/protocols/reply_words.h). Where its alternatives do not read yes or no by
 * that formula, or less likely than the token that was written, they are read without the markup around them. No
 * answer: a failed request, a reply without log-probabilities or with broken ones, a judge that thinks first, and a
 * reply that reads neither yes nor no, such as a refusal. */
YesNoAnswer yes_no_answer(const ChatResult& result);

/** One line of JSON for logs: the question with its id, v or the failure, the reply's text and the alternatives of the
 *  token that was read. */
std::string yes_no_record(const std::string& id, const std::string& question, const ChatResult& result);

}  // namespace diptych
