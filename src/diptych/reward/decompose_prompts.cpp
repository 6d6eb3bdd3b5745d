#include "diptych/reward/decompose_prompts.h"

#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/io/files.h"

namespace diptych {

namespace fs = std::filesystem;

namespace {

constexpr int kMaxTokens = 4096;  // of a reply: about a hundred questions with their reasons

/** JSON in a template has quotation marks behind its braces, so that it is no placeholder. */
const std::regex& placeholder() {
  static const std::regex pattern("\\{[A-Za-z_]+\\}");
  return pattern;
}

std::set<std::string> placeholders_of(DecomposeStage stage) {
  if (stage == DecomposeStage::generate) return {"{prompt}"};
  return {"{prompt}", "{questions}"};
}

void check_template(const fs::path& path, const std::string& text, const std::set<std::string>& expected) {
  std::set<std::string> found;
  for (auto match = std::sregex_iterator(text.begin(), text.end(), placeholder()); match != std::sregex_iterator();
       ++match)
    found.insert(match->str());
  if (found != expected)
    throw Error(ExitCode::config, {path.string(), cat("the placeholders ", join(expected, " and "), ", no others"),
                                   found.empty() ? "none" : join(found, ", "), ""});
}

/** Each placeholder is replaced once, so that a prompt that holds one stays as it is. */
std::string fill(const std::string& text, const std::string& prompt, const std::string& questions) {
  std::string filled;
  auto rest = text.begin();
  for (auto match = std::sregex_iterator(text.begin(), text.end(), placeholder()); match != std::sregex_iterator();
       ++match) {
    filled.append(rest, (*match)[0].first);
    filled += match->str() == "{prompt}" ? prompt : questions;
    rest = (*match)[0].second;
  }
  return filled.append(rest, text.end());
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
  message.parts.push_back(
      {.text = fill(templates[static_cast<size_t>(stage)], prompt, numbered(questions)), .image = std::nullopt});
  return {.messages = {std::move(message)},
          .temperature = is_creative ? 0.6 : 0.3,
          .top_p = is_creative ? 0.9 : 1,
          .max_tokens = kMaxTokens,
          .seed = seed};
}

}  // namespace diptych
