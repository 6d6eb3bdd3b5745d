#include "diptych/train/run/recipe_changes.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "diptych/base/error.h"
#include "diptych/base/log.h"
#include "diptych/base/text_format.h"
#include "diptych/io/files.h"

namespace diptych {

using nlohmann::json;

namespace {

constexpr size_t kMostChanges = 10;  // in one message
constexpr size_t kShownHash = 8;     // digits

/** Weights with a learning rate of 0 are not trained, so that a checkpoint does not hold them. */
bool changes_what_trains(const std::string& key, const std::string& before, const std::string& now) {
  return key.ends_with("learning_rate") && (before == "0.0") != (now == "0.0");
}

std::string file_text(const json& file) {
  return cat(file.at("value").get<std::string>(), " (content ",
             file.at("hash").get<std::string>().substr(0, kShownHash), ")");
}

}  // namespace

std::string RecipeChange::text() const {
  return cat(key, ": ", before, " -> ", after);
}

std::vector<RecipeChange> recipe_changes(const std::vector<ConfigKey>& before, const std::vector<ConfigKey>& now) {
  std::map<std::string, std::string> earlier;
  for (const ConfigKey& key : before) earlier[key.name] = key.value;
  const bool scheduled = std::any_of(now.begin(), now.end(), [](const ConfigKey& key) {
    return key.name == "optimizer.decay" && key.words.front() != "constant";
  });
  std::vector<RecipeChange> changes;
  for (const ConfigKey& key : now) {
    const bool free =
        key.change == Change::free || key.change == Change::files || (key.change == Change::schedule && !scheduled);
    const std::string& value = earlier.at(key.name);
    if (free || value == key.value) continue;
    changes.push_back({.key = key.name,
                       .before = value,
                       .after = key.value,
                       .refused = key.change == Change::refused || changes_what_trains(key.name, value, key.value)});
  }
  return changes;
}

void check_kind(const ConfigText& stored, const std::string& kind) {
  std::string stored_kind = kind;
  ConfigReader reader(stored);
  reader("kind", stored_kind, "");
  if (stored_kind == kind) return;
  throw Error(ExitCode::config, {stored.name, cat("a run of kind \"", kind, "\""),
                                 cat("one of kind \"", stored_kind, "\""), "choose another run folder"});
}

std::vector<ConfigKey> stored_keys(const ConfigText& stored, const RunRecipe& recipe) {
  std::vector<std::string> unread;
  std::vector<ConfigKey> keys = recipe.keys_of(stored, unread);
  if (!unread.empty())
    log_warning(cat(stored.name,
                    " has keys that this version does not know, and that count for nothing now: ", join(unread, ", ")));
  return keys;
}

std::string change_text(const std::vector<RecipeChange>& changes) {
  std::vector<std::string> texts;
  for (size_t i = 0; i < std::min(changes.size(), kMostChanges); ++i) texts.push_back(changes[i].text());
  if (changes.size() > kMostChanges) texts.push_back(cat("and ", changes.size() - kMostChanges, " more"));
  return join(texts, "; ");
}

json kept_values(const std::vector<ConfigKey>& keys) {
  json kept = json::object();
  for (const ConfigKey& key : keys)
    if (key.change != Change::free && key.change != Change::files) kept[key.name] = key.value;
  return kept;
}

ConfigText recipe_of(const json& kept, const std::string& name) {
  std::string text;
  for (const auto& [key, value] : kept.items()) text += cat(key, " = ", value.get<std::string>(), "\n");
  return {.text = text, .name = name};
}

json named_files(const std::vector<ConfigKey>& keys) {
  json files = json::object();
  for (const ConfigKey& key : keys) {
    if (key.change != Change::files) continue;
    std::string content;
    for (const std::string& word : key.words) {
      std::error_code unreachable;  // such as a word that is too long for a name
      content += std::filesystem::is_regular_file(word, unreachable) ? cat("file ", hash_file(word), "\n")
                                                                     : cat("word ", word, "\n");
    }
    files[key.name] = {{"value", key.value}, {"hash", hash_bytes(content)}};
  }
  return files;
}

std::vector<RecipeChange> changed_files(const json& before, const json& now) {
  std::vector<RecipeChange> changes;
  for (const auto& [key, file] : now.items())
    if (before.contains(key) && before.at(key).at("hash") != file.at("hash"))
      changes.push_back({.key = key, .before = file_text(before.at(key)), .after = file_text(file)});
  return changes;
}

}  // namespace diptych
