#pragma once
// The plainest judge: one number from 1 to 5.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "diptych/reward/chat/chat.h"
#include "diptych/reward/task.h"

namespace diptych {

struct ScalarScoreOptions {
  bool from_logprobs =
      false;  // expectation over the digits of the first token that is one, instead of the digit that was written
  std::string question = {};  // with {prompt}; empty: the built-in one
  ImageEncoding encoding = ImageEncoding::jpeg;
};

/** The rating of the reply, "4" or "**4.5**" or "My rating is 4/5" (rating_in_words of reward/protocols/reply_words.h).
 * nullopt for no or several numbers, numbers in prose, or one outside [1, 5]. */
std::optional<double> written_rating(std::string_view reply);

/** sum of k p(k) / sum of p(k) over the tokens that read 1 to 5 but for white space and markup. nullopt if none does.
 */
std::optional<double> expected_rating(const std::vector<std::pair<std::string, double>>& top);

/** (rating - 1) / 4, in [0, 1]. One request for each candidate's last image: image, then text; JPEG of quality 95.
 *  Check: "rating". A reply without a rating masks the candidate. */
std::vector<Score> scalar_score(const std::vector<ScoredPair>& pairs, const ChatFunction& ask,
                                const ScalarScoreOptions& options);

}  // namespace diptych
