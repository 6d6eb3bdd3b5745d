#include "diptych/data/prompt_file.h"

#include <nlohmann/json.hpp>
#include <set>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/data/data_lines.h"
#include "diptych/data/question_file.h"

namespace diptych {

using nlohmann::json;

PromptRecord parse_prompt_record(const std::string& where, json object) {
  if (!object.contains("prompt")) {
    std::set<std::string> keys;
    for (const auto& [key, value] : object.items()) keys.insert(cat("'", key, "'"));
    throw Error(ExitCode::data,
                {where, "the key 'prompt'", keys.empty() ? "no key" : cat("only ", join(keys, ", ")), ""});
  }
  PromptRecord record;
  record.text = text_field(where, object, "prompt");
  if (has_questions(object)) record.questions = parse_questions(where, object);
  object.erase("prompt");
  record.metadata = object.dump();
  return record;
}

std::vector<PromptRecord> read_prompts(const std::filesystem::path& path) {
  const std::string extension = path.extension().string();
  if (extension != ".txt" && extension != ".jsonl")
    throw Error(ExitCode::data,
                {path.string(), "a prompt file, .txt or .jsonl", extension.empty() ? "no extension" : extension, ""});
  std::vector<PromptRecord> prompts;
  const LineCounts counts = visit_data_lines(path, [&](const std::string& where, std::string_view text) {
    if (extension == ".jsonl") {
      prompts.push_back(parse_prompt_record(where, parse_object(where, text)));
    } else {
      check_utf8(where, text);
      prompts.push_back({std::string(text), "{}", {}});
    }
  });
  log_skipped_lines(path, counts);
  if (prompts.empty()) throw Error(ExitCode::data, {path.string(), "one prompt a line", "no prompt", ""});
  return prompts;
}

}  // namespace diptych
