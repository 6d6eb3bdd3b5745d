#pragma once
// Prompts for reinforcement learning and evaluation, from a file (docs/data.md).

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "diptych/data/atomic_question.h"

namespace diptych {

struct PromptRecord {
  std::string text;
  std::string metadata;  // a JSON object: what else the line holds, for rewards to read; "{}" for a text file
  std::vector<AtomicQuestion> questions;  // of the keys of data/question_file.h; empty for a line without them
};

/** The record of a `.jsonl` line. Throws Error(data), located at `where`, without a key `prompt`, or if the line has
 *  questions that are not as data/question_file.h describes. */
PromptRecord parse_prompt_record(const std::string& where, nlohmann::json object);

/** Reads `.txt` (one prompt a line; blank lines and lines that start with '#' are skipped) or `.jsonl` (the key
 * `prompt`, questions, any others), in the order of the file. How many lines were passed over is logged. Throws
 * Error(data), with file:line for a wrong line, if the file is missing, holds no prompt, has another extension, or is
 * not UTF-8. */
std::vector<PromptRecord> read_prompts(const std::filesystem::path& path);

}  // namespace diptych
