#pragma once
// Prompts for reinforcement learning and evaluation, from a file (docs/data.md).

#include <filesystem>
#include <string>
#include <vector>

namespace diptych {

struct PromptRecord {
  std::string text;
  std::string metadata;  // a JSON object: what else the line holds, for rewards to read; "{}" for a text file
};

/** Reads `.txt` (one prompt a line; blank lines and lines that start with '#' are skipped) or `.jsonl` (the key
 * `prompt` and any others), in the order of the file. Throws Error(data), with file:line for a wrong line, if the file
 * is missing, holds no prompt, has another extension, or is not UTF-8. */
std::vector<PromptRecord> read_prompts(const std::filesystem::path& path);

}  // namespace diptych
