#include "diptych/text/tokenizer_files.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "diptych/base/ascii.h"
#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/io/files.h"
#include "diptych/io/json.h"
#include "diptych/text/pretokenizer.h"
#include "diptych/text/unicode.h"

namespace diptych {
namespace {

using Json = nlohmann::json;
using std::filesystem::path;

constexpr int64_t kMaxId = 0x7FFFFFFF;
constexpr const char* kVocabulary = "vocab.json";
constexpr const char* kMerges = "merges.txt";
constexpr const char* kTokenizer = "tokenizer.json";
constexpr const char* kTokenizerConfig = "tokenizer_config.json";
constexpr const char* kAddedTokens = "added_tokens.json";
constexpr const char* kSpecialTokensMap = "special_tokens_map.json";

/** A merge rule as text, and where it stands in its file. */
struct TextMerge {
  std::string left;
  std::string right;
  std::string where;
};

[[noreturn]] void fail(const std::string& where, const std::string& expected, const std::string& got,
                       const std::string& hint = "") {
  throw Error(ExitCode::model, {where, expected, got, hint});
}

Json parse_json_file(const path& file) {
  const std::string text = read_file(file);
  JsonFault fault;
  std::optional<Json> value = parse_json(text, &fault);
  if (value) return *std::move(value);
  const auto read = static_cast<std::ptrdiff_t>(std::min(fault.byte, text.size()));
  const std::string line =
      fault.byte == 0 ? "" : cat(" line ", 1 + std::count(text.begin(), text.begin() + read, '\n'));
  fail(file.string() + line, "valid JSON", fault.message, "the file may be damaged or half downloaded");
}

const Json& member(const Json& object, const char* name, const path& file) {
  const auto found = object.find(name);
  if (found == object.end()) fail(file.string(), cat("a key \"", name, "\""), "none");
  return *found;
}

int64_t read_id(const Json& value, const std::string& where) {
  if (!value.is_number_integer() || value.get<int64_t>() < 0 || value.get<int64_t>() > kMaxId) {
    fail(where, cat("a token id from 0 to ", kMaxId), value.dump());
  }
  return value.get<int64_t>();
}

std::vector<std::pair<std::string, int64_t>> read_vocabulary(const Json& object, const path& file) {
  if (!object.is_object()) fail(file.string(), "an object of token to id", object.type_name());
  std::vector<std::pair<std::string, int64_t>> vocabulary;
  vocabulary.reserve(object.size());
  for (const auto& [token, id] : object.items()) {
    vocabulary.emplace_back(token, read_id(id, cat(file.string(), " token ", Json(token).dump())));
  }
  std::sort(vocabulary.begin(), vocabulary.end(),
            [](const auto& a, const auto& b) { return std::tie(a.second, a.first) < std::tie(b.second, b.first); });
  const auto same_id = [](const auto& a, const auto& b) { return a.second == b.second; };
  const auto twice = std::adjacent_find(vocabulary.begin(), vocabulary.end(), same_id);
  if (twice != vocabulary.end()) {
    fail(file.string(), "a different id for each token",
         cat("id ", twice->second, " for both ", Json(twice->first).dump(), " and ", Json((twice + 1)->first).dump()));
  }
  return vocabulary;
}

TextMerge split_merge(std::string_view rule, const std::string& where) {
  const std::size_t space = rule.find(' ');
  const bool one_space = space != std::string_view::npos && rule.find(' ', space + 1) == std::string_view::npos;
  if (!one_space || space == 0 || space + 1 == rule.size()) {
    fail(where, "two tokens separated by one space", cat("\"", repair_utf8(rule), "\""));
  }
  return {std::string(rule.substr(0, space)), std::string(rule.substr(space + 1)), where};
}

/** Lines may end as on any system, and a byte-order mark may stand in front. */
std::vector<TextMerge> read_merges_txt(const path& file) {
  std::string text = read_file(file);
  if (text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);
  std::vector<TextMerge> merges;
  int64_t number = 0;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find_first_of("\r\n", start), text.size());
    const std::string_view line = trimmed({text.data() + start, end - start}, " \t");
    start = end + (text.compare(end, 2, "\r\n") == 0 ? 2 : 1);
    ++number;
    const bool is_header = number == 1 && line.substr(0, 8) == "#version";
    if (line.empty() || is_header) continue;
    merges.push_back(split_merge(line, cat(file.string(), " line ", number)));
  }
  return merges;
}

/** Both encodings of tokenizer.json: "a b" and ["a", "b"]. */
std::vector<TextMerge> read_merges_json(const Json& list, const path& file) {
  if (!list.is_array()) fail(file.string(), "a list of merges", list.type_name());
  std::vector<TextMerge> merges;
  merges.reserve(list.size());
  for (const Json& rule : list) {
    const std::string where = cat(file.string(), " merge ", merges.size() + 1);
    if (rule.is_string()) {
      merges.push_back(split_merge(rule.get_ref<const std::string&>(), where));
    } else if (rule.is_array() && rule.size() == 2 && rule[0].is_string() && rule[1].is_string()) {
      merges.push_back({rule[0].get<std::string>(), rule[1].get<std::string>(), where});
    } else {
      fail(where, "\"a b\" or [\"a\", \"b\"]", rule.dump());
    }
  }
  return merges;
}

std::vector<MergeRule> resolve_merges(const std::vector<TextMerge>& merges,
                                      const std::vector<std::pair<std::string, int64_t>>& vocabulary) {
  const std::unordered_map<std::string, int64_t> ids(vocabulary.begin(), vocabulary.end());
  const auto id_of = [&](const std::string& token, const std::string& where) {
    const auto found = ids.find(token);
    if (found == ids.end()) {
      fail(where, "tokens of the vocabulary", cat("the unknown token \"", repair_utf8(token), "\""),
           "the vocabulary and the merges come from different models");
    }
    return found->second;
  };
  std::vector<MergeRule> rules;
  rules.reserve(merges.size());
  for (const TextMerge& merge : merges) {
    rules.push_back({id_of(merge.left, merge.where), id_of(merge.right, merge.where),
                     id_of(merge.left + merge.right, merge.where)});
  }
  return rules;
}

AddedToken read_added_token(int64_t id, const Json& entry, const std::string& where) {
  const auto content = entry.find("content");
  if (content == entry.end() || !content->is_string() || content->get_ref<const std::string&>().empty()) {
    fail(where, "a non-empty string \"content\"", entry.dump());
  }
  for (const char* flag : {"lstrip", "rstrip", "single_word"}) {
    if (entry.value(flag, false)) fail(where, cat("\"", flag, "\": false"), "true", "Qwen2 tokenizers do not use it");
  }
  return {id, content->get<std::string>(), entry.value("special", false)};
}

std::vector<AddedToken> read_added_tokens_decoder(const Json& object, const path& file) {
  std::vector<AddedToken> added;
  for (const auto& [key, entry] : object.items()) {
    const std::string where = cat(file.string(), " added_tokens_decoder \"", key, "\"");
    added.push_back(read_added_token(read_id(parse_json(key).value_or(key), where), entry, where));
  }
  return added;
}

std::vector<AddedToken> read_added_tokens_list(const Json& list, const path& file) {
  std::vector<AddedToken> added;
  for (const Json& entry : list) {
    const std::string where = cat(file.string(), " added_tokens entry ", added.size() + 1);
    added.push_back(read_added_token(read_id(entry.value("id", Json()), where), entry, where));
  }
  return added;
}

/** The texts that a configuration names as special: under one name each, and in lists. A text may be an object with
 *  its "content". */
void collect_special_texts(const Json& config, std::set<std::string>* texts) {
  const auto add = [&](const Json& token) {
    const Json& text = token.is_object() && token.contains("content") ? token["content"] : token;
    if (text.is_string()) texts->insert(text.get<std::string>());
  };
  for (const auto& [key, value] : config.items()) {
    if (key.ends_with("_token")) add(value);
    if (key == "additional_special_tokens" || key == "extra_special_tokens")
      for (const auto& item : value.items()) add(item.value());
  }
}

/** As older libraries wrote them: ids in added_tokens.json, and in the vocabulary where a configuration names a token
 *  special. */
std::vector<AddedToken> read_older_added_tokens(const path& folder, const Json& config,
                                                const std::vector<std::pair<std::string, int64_t>>& vocabulary) {
  std::set<std::string> special;
  collect_special_texts(config, &special);
  if (const path file = folder / kSpecialTokensMap; std::filesystem::exists(file))
    collect_special_texts(parse_json_file(file), &special);
  std::vector<AddedToken> added;
  if (const path file = folder / kAddedTokens; std::filesystem::exists(file)) {
    const Json tokens = parse_json_file(file);
    if (!tokens.is_object()) fail(file.string(), "an object of token to id", tokens.type_name());
    for (const auto& [text, id] : tokens.items()) {
      if (text.empty()) fail(file.string(), "tokens of at least one character", "\"\"");
      added.push_back({read_id(id, cat(file.string(), " token ", Json(text).dump())), text, special.contains(text)});
      special.erase(text);
    }
  }
  for (const auto& [text, id] : vocabulary)
    if (special.contains(text)) added.push_back({id, text, true});
  return added;
}

Json read_tokenizer_config(const path& folder) {
  const path file = folder / kTokenizerConfig;
  if (!std::filesystem::exists(file)) return Json::object();
  Json config = parse_json_file(file);
  if (!config.is_object()) fail(file.string(), "a JSON object", config.type_name());
  return config;
}

/** Whether a configuration lists the added tokens itself. */
bool lists_added_tokens(const Json& config) {
  const auto found = config.find("added_tokens_decoder");
  return found != config.end() && !found->empty();
}

std::vector<AddedToken> read_added_tokens(const path& folder, const Json& config,
                                          const std::vector<std::pair<std::string, int64_t>>& vocabulary) {
  if (lists_added_tokens(config))
    return read_added_tokens_decoder(config["added_tokens_decoder"], folder / kTokenizerConfig);
  if (const path file = folder / kTokenizer; std::filesystem::exists(file)) {
    const Json tokenizer = parse_json_file(file);
    const auto list = tokenizer.find("added_tokens");
    if (list != tokenizer.end() && !list->empty()) return read_added_tokens_list(*list, file);
  }
  return read_older_added_tokens(folder, config, vocabulary);
}

void check_added_tokens(const std::vector<AddedToken>& added, const path& folder) {
  std::unordered_map<int64_t, const AddedToken*> by_id;
  std::unordered_map<std::string_view, const AddedToken*> by_text;
  for (const AddedToken& token : added) {
    const AddedToken& same_id = *by_id.try_emplace(token.id, &token).first->second;
    const AddedToken& same_text = *by_text.try_emplace(token.text, &token).first->second;
    const AddedToken& twin = &same_id == &token ? same_text : same_id;
    if (&twin == &token) continue;
    fail(folder.string(), "added tokens with different ids and texts",
         cat(twin.text, " (", twin.id, ") and ", token.text, " (", token.id, ")"));
  }
}

bool is_qwen2_pretokenizer(const Json& pretokenizer) {
  if (pretokenizer.value("type", "") != "Sequence") return false;
  const Json parts = pretokenizer.value("pretokenizers", Json::array());
  if (parts.size() != 2) return false;
  const Json pattern = parts[0].value("pattern", Json::object());
  return parts[0].value("type", "") == "Split" && pattern.value("Regex", "") == kPretokenizerPattern &&
         parts[0].value("behavior", "") == "Isolated" && !parts[0].value("invert", false) &&
         parts[1].value("type", "") == "ByteLevel" && !parts[1].value("add_prefix_space", true) &&
         !parts[1].value("use_regex", true);
}

/** Throws if a key is there with another value than `built`, which is what its absence means. */
void require_value(const Json& object, const std::string& key, const Json& built, const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null() || *found == built) return;
  fail(where + ": " + key, built.is_null() ? "null" : built.dump(), found->dump(), "no other value is implemented");
}

bool is_nfc(const Json& normalizer) {
  if (!normalizer.is_object()) return false;
  const Json parts = normalizer.value("normalizers", Json::array());
  return normalizer.value("type", "") == "NFC" ||
         (normalizer.value("type", "") == "Sequence" && parts.size() == 1 && is_nfc(parts[0]));
}

void check_qwen2_form(const Json& tokenizer, const path& file) {
  const Json& model = member(tokenizer, "model", file);
  if (model.value("type", "") != "BPE") {
    fail(file.string(), "a byte-level BPE model as Qwen2's", model.value("type", "no type"));
  }
  const std::string where = file.string() + ": model";
  for (const char* option : {"byte_fallback", "ignore_merges"}) require_value(model, option, false, where);
  for (const char* affix : {"continuing_subword_prefix", "end_of_word_suffix"}) require_value(model, affix, "", where);
  for (const char* option : {"dropout", "unk_token"}) require_value(model, option, nullptr, where);
  const Json& normalizer = member(tokenizer, "normalizer", file);
  if (!is_nfc(normalizer)) fail(file.string(), "the normalizer NFC", normalizer.dump());
  const Json& pretokenizer = member(tokenizer, "pre_tokenizer", file);
  if (!pretokenizer.is_object() || !is_qwen2_pretokenizer(pretokenizer)) {
    fail(file.string(), "Qwen2's pre-tokenizer", pretokenizer.dump(), "only Qwen2 tokenizers are implemented");
  }
  for (const char* part : {"post_processor", "decoder"}) {
    const Json processor = tokenizer.value(part, Json());
    if (!processor.is_null() && processor.value("type", "") != "ByteLevel")
      fail(cat(file.string(), ": ", part), "null or ByteLevel", processor.dump(), "no other is implemented");
  }
}

/** Options of tokenizer_config.json that change ids or texts. */
void check_options(const Json& config, const path& file) {
  for (const char* option : {"add_bos_token", "add_eos_token", "add_prefix_space", "clean_up_tokenization_spaces",
                             "do_lower_case", "split_special_tokens"})
    require_value(config, option, false, file.string());
}

enum class Split { qwen2, stated_in_file };

/** How text is split before merging: by the class of the tokenizer, or as tokenizer.json says. */
Split split_of(const Json& config, const path& file) {
  const Json name = config.value("tokenizer_class", Json());
  if (name.is_null() || name == "Qwen2Tokenizer" || name == "Qwen2TokenizerFast") return Split::qwen2;
  const bool is_general = name == "PreTrainedTokenizerFast" || name == "TokenizersBackend";
  if (is_general && std::filesystem::exists(file.parent_path() / kTokenizer)) return Split::stated_in_file;
  fail(file.string() + ": tokenizer_class", is_general ? "Qwen2Tokenizer, or a tokenizer.json" : "Qwen2Tokenizer",
       name.dump(), "only Qwen2 tokenizers are implemented");
}

/** Files of a tokenizer that are there, but make none. */
std::string files_there(const path& folder) {
  std::vector<std::string> names;
  for (const char* name : {"vocab.json", "merges.txt", "tokenizer.model", "qwen.tiktoken", "vocab.txt", "spiece.model"})
    if (std::filesystem::exists(folder / name)) names.push_back(name);
  return names.empty() ? "neither" : cat("only ", join(names, ", "));
}

}  // namespace

std::vector<path> older_token_files(const path& folder) {
  std::vector<path> files;
  if (lists_added_tokens(read_tokenizer_config(folder))) return files;
  for (const char* name : {kAddedTokens, kSpecialTokensMap})
    if (std::filesystem::exists(folder / name)) files.push_back(folder / name);
  return files;
}

TokenizerFiles read_tokenizer_files(const path& folder) {
  const path vocab_file = folder / kVocabulary;
  const path merges_file = folder / kMerges;
  const path tokenizer_file = folder / kTokenizer;
  const bool has_pair = std::filesystem::exists(vocab_file) && std::filesystem::exists(merges_file);
  if (!has_pair && !std::filesystem::exists(tokenizer_file)) {
    fail(folder.string(), "vocab.json and merges.txt, or tokenizer.json", files_there(folder),
         "give the folder of a downloaded model");
  }

  TokenizerFiles files;
  try {
    const Json config = read_tokenizer_config(folder);
    check_options(config, folder / kTokenizerConfig);
    if (has_pair && split_of(config, folder / kTokenizerConfig) == Split::qwen2) {
      files.vocabulary = read_vocabulary(parse_json_file(vocab_file), vocab_file);
      files.merges = resolve_merges(read_merges_txt(merges_file), files.vocabulary);
    } else {
      const Json tokenizer = parse_json_file(tokenizer_file);
      check_qwen2_form(tokenizer, tokenizer_file);
      const Json& model = tokenizer["model"];
      files.vocabulary = read_vocabulary(member(model, "vocab", tokenizer_file), tokenizer_file);
      files.merges =
          resolve_merges(read_merges_json(member(model, "merges", tokenizer_file), tokenizer_file), files.vocabulary);
    }
    files.added = read_added_tokens(folder, config, files.vocabulary);
  } catch (const Json::type_error& error) {
    fail(folder.string(), "tokenizer files in the form of Qwen2's", error.what());
  }
  check_added_tokens(files.added, folder);
  return files;
}

}  // namespace diptych
