#pragma once
// How likely a judge says yes, read from the log-probabilities of its first token (alphagrpo.md 6.2).

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "diptych/reward/chat.h"

namespace diptych {

/** v = Y / (Y + N), where Y and N sum exp(log-probability) over the tokens that read yes and no: lower-cased, then
 *  without white space at both ends (as Python's str.strip), then without any of . , ? ! (in this order, once, so that
 *  "yes ." does not count). If Y + N is 0, v is 1 if the whole text reads yes, else 0. AlphaGRPO rewards.py,
 *  calculate_confidence_score. */
double yes_probability(const std::vector<std::pair<std::string, double>>& top, std::string_view text);

/** Y + N. */
double yes_no_mass(const std::vector<std::pair<std::string, double>>& top);

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
};

/** The answer in a result. No answer: a failed request, a reply without log-probabilities or with broken ones, and a
 *  judge that thinks first, whose first token is a thought and no answer. */
YesNoAnswer yes_no_answer(const ChatResult& result);

/** One line of JSON for logs: the question with its id, v or the failure, the reply's text and the first token's
 *  alternatives. */
std::string yes_no_record(const std::string& id, const std::string& question, const ChatResult& result);

}  // namespace diptych
