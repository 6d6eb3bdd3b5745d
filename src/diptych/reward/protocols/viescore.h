#pragma once
// VIEScore (arXiv 2312.14867) as a reward: semantic consistency and perceptual quality, each rated 0 to 10 by a judge
// that replies in JSON. Protocol: benchmarks.md 5 and 7; AlphaGRPO's baseline `viescorer_t2i`.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "diptych/reward/chat/chat.h"
#include "diptych/reward/task.h"

namespace diptych {

/** The ratings in a reply, in its order: between two ||V^=^V||; else the "score" of the JSON object from the first { to
 *  the last }, read by its key alone where the JSON is broken; else a bare list or number, announced or not. A rating
 *  may be written as text, such as "8/10". nullopt unless there is at least one rating and all lie in [0, 10], and
 * where several keys of broken JSON disagree. */
std::optional<std::vector<double>> viescore_ratings(std::string_view reply);

/** Own questions instead of the published ones; both or none. */
struct VieScoreOptions {
  std::string consistency = {};  // with {prompt}
  std::string quality = {};
  ImageEncoding encoding = ImageEncoding::jpeg;
};

/** sqrt(min SC * min PQ) / 10, in [0, 1], of each candidate's last image: two requests each, text before images, JPEG
 * of quality 75. A prompt with source images is an edit: its SC request shows the first source and then the result.
 *  Checks: "semantic_consistency" and "perceptual_quality", the two minima in [0, 10].
 *  Differences from the official code: temperature 0 where it leaves the server's default; a reply without ratings
 * masks the candidate where it repeats the calls and then draws a random number. Own questions stand behind the
 *  result alone. */
std::vector<Score> viescore(const std::vector<ScoredPair>& pairs, const ChatFunction& ask,
                            const VieScoreOptions& options = {});

}  // namespace diptych
