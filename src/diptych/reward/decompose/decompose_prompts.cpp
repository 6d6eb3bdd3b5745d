#include "diptych/reward/decompose/decompose_prompts.h"

#include <nlohmann/json.hpp>
#include <set>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/io/files.h"

namespace diptych {

namespace fs = std::filesystem;

namespace {

constexpr int kDecompositionTokens = 4096;  // of a reply: about a hundred questions with their reasons

/** A text in pieces: every other one, from the second on, is a placeholder such as `{prompt}`. JSON in a template has
 *  quotation marks behind its braces, so that it is no placeholder. */
std::vector<std::string> split_at_placeholders(const std::string& text) {
  constexpr const char* kNameCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
  std::vector<std::string> pieces;
  size_t start = 0;  // of the piece under way
  for (size_t open = text.find('{'); open != text.npos; open = text.find('{', open + 1)) {
    const size_t close = text.find_first_not_of(kNameCharacters, open + 1);
    if (close == text.npos || text[close] != '}' || close == open + 1) continue;
    pieces.push_back(text.substr(start, open - start));
    pieces.push_back(text.substr(open, close + 1 - open));
    start = close + 1;
  }
  pieces.push_back(text.substr(start));
  return pieces;
}

std::set<std::string> placeholders_of(DecomposeStage stage) {
  if (stage == DecomposeStage::generate) return {"{prompt}"};
  return {"{prompt}", "{questions}"};
}

void check_template(const fs::path& path, const std::string& text, const std::set<std::string>& expected) {
  const std::vector<std::string> pieces = split_at_placeholders(text);
  std::set<std::string> found;
  for (size_t index = 1; index < pieces.size(); index += 2) found.insert(pieces[index]);
  if (found != expected)
    throw Error(ExitCode::config, {path.string(), cat("the placeholders ", join(expected, " and "), ", no others"),
                                   found.empty() ? "none" : join(found, ", "), ""});
}

/** Each placeholder is replaced once, so that a prompt that holds one stays as it is. */
std::string fill(const std::string& text, const std::string& prompt, const std::string& questions) {
  std::vector<std::string> pieces = split_at_placeholders(text);
  for (size_t index = 1; index < pieces.size(); index += 2)
    pieces[index] = pieces[index] == "{prompt}" ? prompt : questions;
  return join(pieces, "");
}

std::string numbered(const std::vector<std::string>& questions) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (size_t index = 0; index < questions.size(); ++index)
    list.push_back({{"number", index + 1}, {"question", questions[index]}});
  return list.dump();
}

}  // namespace

DecomposeTemplates read_decompose_templates(const fs::path& folder) {
  DecomposeTemplates templates;
  for (size_t stage = 0; stage < templates.size(); ++stage) {
    const fs::path path = folder / cat(kDecomposeStageNames[stage], ".txt");
    templates[stage] = read_file(path);
    check_template(path, templates[stage], placeholders_of(static_cast<DecomposeStage>(stage)));
  }
  return templates;
}

ChatRequest decompose_request(DecomposeStage stage, const DecomposeTemplates& templates, const std::string& prompt,
                              const std::vector<std::string>& questions, int64_t seed) {
  const bool is_creative = stage == DecomposeStage::generate || stage == DecomposeStage::quality;
  ChatMessage message{.role = "user", .parts = {}};
  message.parts.push_back({.text = fill(templates[static_cast<size_t>(stage)], prompt, numbered(questions))});
  return {.messages = {std::move(message)},
          .temperature = is_creative ? 0.6 : 0.3,
          .top_p = is_creative ? 0.9 : 1,
          .max_tokens = kDecompositionTokens,
          .seed = seed};
}

}  // namespace diptych
