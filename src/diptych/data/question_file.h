#pragma once
// Prompts with their atomic questions, one JSON object a line, in the layout of the AlphaGRPO release:
//   {"prompt", "original_index", "semantic_questions": [...], "quality_questions": [...]}
// and whatever other keys the user has for rewards to read, where each question is {"question_type", "question",
// "is_valid", "tag"}.

#include <array>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "diptych/data/atomic_question.h"

namespace diptych {

/** Classes of the questions that the release uses (AlphaGRPO, arXiv 2605.12495). Files may use others: tags carry no
 * weight. */
inline constexpr std::array<std::string_view, 10> kSemanticTags = {
    "Style", "Environment", "Viewpoint", "Existence", "Count", "Attribute", "Action", "Spatial", "Text", "Negative"};
inline constexpr std::array<std::string_view, 8> kQualityTags = {"Geometry", "Anatomy", "Texture",    "Coherence",
                                                                 "Lighting", "Physics", "Legibility", "Aesthetics"};

struct QuestionRecord {
  std::string prompt;
  int64_t original_index = 0;             // which prompt of the file it was made from, from 0
  std::vector<AtomicQuestion> questions;  // semantic ones first
  std::string metadata = {};              // a JSON object with further keys, or empty; a reader leaves it empty
};

/** Whether a line's object has a list of questions. */
bool has_questions(const nlohmann::json& object);

/** The questions under `semantic_questions` and `quality_questions`, with the ids s1, s2, ..., q1, q2, .... Throws
 *  Error(data), located at `where`, unless both keys hold lists, the semantic one is not empty, and each question has
 *  its four keys with the right types, a question_type equal to its list's, and is_valid true. */
std::vector<AtomicQuestion> parse_questions(const std::string& where, const nlohmann::json& object);

/** Every record of a file, in order; other keys are ignored. Throws Error(data) with file:line for a wrong line, a
 *  missing file and a file without records. */
std::vector<QuestionRecord> read_question_records(const std::filesystem::path& path);

/** The record as one line's object: the prompt, its index, the further keys of the metadata, the questions. Keys of the
 *  metadata that the format itself has are left out. */
nlohmann::ordered_json question_record_json(const QuestionRecord& record);

/** Writes one record a line and replaces the file atomically. Throws Error(io). */
void write_question_records(const std::filesystem::path& path, const std::vector<QuestionRecord>& records);

}  // namespace diptych
