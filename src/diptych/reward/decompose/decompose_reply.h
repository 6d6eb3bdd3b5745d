#pragma once
// Replies of the language model to the stages of decomposition. Reading is tolerant, the result is checked strictly.

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "diptych/data/atomic_question.h"

namespace diptych {

/** The longest JSON array in a reply, whatever surrounds it: words, code fences, an object. Thoughts up to a
 *  `</think>` are left out. nullopt if there is none. */
std::optional<nlohmann::json> find_json_array(std::string_view reply);

// Each function returns what is wrong with the reply, in words, or "" after it has filled its output.

/** `generate`: an array of questions. Repeated ones, whatever their case, are dropped. */
std::string parse_generate_reply(std::string_view reply, std::vector<std::string>* questions);

/** A question that the prompt does not require, and why. */
struct InvalidQuestion {
  size_t index = 0;
  std::string reason;  // may be empty
};

/** `validate`: an array of {"number", "valid", "reason"}, one for each of `count` questions, numbers from 1. */
std::string parse_validate_reply(std::string_view reply, size_t count, std::vector<InvalidQuestion>* invalid);

/** `tag`: an array of {"number", "tag"}, one for each of `count` questions, with the semantic classes. */
std::string parse_tag_reply(std::string_view reply, size_t count, std::vector<std::string>* tags);

/** `quality`: an array of {"question", "tag"} with the quality classes; repeated ones are dropped, ids are q1, .... */
std::string parse_quality_reply(std::string_view reply, std::vector<AtomicQuestion>* questions);

}  // namespace diptych
