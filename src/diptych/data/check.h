#pragma once
// Validates a file of supervised examples, or of prompts with their questions, as a whole, before a run stumbles over
// one line of it.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "diptych/data/data_lines.h"

namespace diptych {

/** Most sentences a report keeps of each list; further ones are only counted. */
inline constexpr size_t kMostSentences = 50;

struct DataReport {
  LineCounts lines;
  int64_t records = 0;            // lines whose keys and types are right; the numbers below are about these
  bool is_question_file = false;  // prompts, with or without questions; else supervised examples
  int64_t with_thinking = 0;
  int64_t with_image = 0;
  int64_t with_sources = 0;
  int64_t with_questions = 0;
  std::map<std::string, std::map<std::string, int64_t>> tags;  // "semantic" or "quality" -> tag -> number of questions
  int64_t shortest_prompt = 0;                                 // characters (Unicode code points)
  int64_t longest_prompt = 0;
  double mean_prompt = 0;
  int64_t repeated_prompts = 0;                        // equal to that of a line before
  std::map<std::pair<int, int>, int64_t> image_sizes;  // (width, height) upright -> number of targets and sources
  int64_t turned_images = 0;                           // of those, by the orientation in their EXIF data
  int64_t cmyk_images = 0;                             // and from CMYK to RGB
  int64_t fault_count = 0;
  std::vector<std::string> faults;  // "file:line: sentence"; training refuses the file
  int64_t warning_count = 0;
  std::vector<std::string> warnings;  // the same form; training works
};

/** Checks every line of a file in the format of data/example_file.h: keys, types, that images exist and decode
 * (faults), and that thinking has the form of text/think.h (a warning). A file is one of data/prompt_file.h instead if
 * it is named .txt, if a line has questions, or if lines have a prompt and none has another key of examples. Warnings
 * are also a prompt without questions where others have some, an `id` or `original_index` that an earlier line has, and
 * texts with control tokens. Throws Error(data) only if there is no file or it is in UTF-16. */
DataReport check_data(const std::filesystem::path& path);

}  // namespace diptych
