#include "diptych/reward/decompose/decompose_reply.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "diptych/base/ascii.h"
#include "diptych/base/text_format.h"
#include "diptych/data/question_file.h"
#include "diptych/io/json.h"

namespace diptych {

using nlohmann::json;

namespace {

constexpr std::string_view kNoArray = "the reply holds no JSON array";
constexpr int kMostBrackets = 100;  // that are tried: each costs a look at the rest of the reply

/** End of the array that starts at `start`, behind its bracket; npos if it never ends. */
size_t end_of_array(std::string_view text, size_t start) {
  int depth = 0;
  bool in_string = false;
  for (size_t position = start; position < text.size(); ++position) {
    const char character = text[position];
    if (in_string && character == '\\') {
      ++position;
    } else if (character == '"') {
      in_string = !in_string;
    } else if (!in_string && character == '[') {
      ++depth;
    } else if (!in_string && character == ']' && --depth == 0) {
      return position + 1;
    }
  }
  return text.npos;
}

/** The value as a question, trimmed; empty unless it is a text that ends with a question mark. */
std::string as_question(const json& value) {
  if (!value.is_string()) return "";
  const std::string_view text = trimmed(value.get_ref<const std::string&>());
  return text.ends_with('?') && text.size() > 1 && text.find('\n') == text.npos ? std::string(text) : "";
}

std::string no_question(const json& value) {
  return cat("not a question: ", value.dump());
}

/** The objects of a reply with the numbers 1 to `count`, in the order of their numbers. */
std::string numbered_objects(std::string_view reply, size_t count, std::vector<json>* objects) {
  const std::optional<json> list = find_json_array(reply);
  if (!list) return std::string(kNoArray);
  if (list->size() != count) return cat("the reply has ", list->size(), " items for ", count, " questions");
  objects->assign(count, nullptr);
  for (const json& item : *list) {
    if (!item.is_object() || !item.contains("number") || !item["number"].is_number_integer())
      return cat("an item without its number: ", item.dump());
    const auto number = item["number"].get<int64_t>();
    if (number < 1 || number > static_cast<int64_t>(count)) return cat("no question has the number ", number);
    json& place = objects->at(static_cast<size_t>(number) - 1);
    if (!place.is_null()) return cat("two items have the number ", number);
    place = item;
  }
  return "";
}

/** The class that an item names; empty with a fault. */
template <class Tags>
std::string read_tag(const json& item, const Tags& known, std::string* fault) {
  if (!item.contains("tag") || !item["tag"].is_string()) {
    *fault = cat("an item without its tag: ", item.dump());
    return "";
  }
  const std::string tag(trimmed(item["tag"].template get_ref<const std::string&>()));
  if (std::find(known.begin(), known.end(), tag) == known.end()) *fault = cat("unknown tag '", tag, "'");
  return tag;
}

}  // namespace

std::optional<json> find_json_array(std::string_view reply) {
  constexpr std::string_view kEndOfThoughts = "</think>";
  if (const size_t thoughts = reply.rfind(kEndOfThoughts); thoughts != reply.npos)
    reply.remove_prefix(thoughts + kEndOfThoughts.size());
  std::optional<json> longest;
  size_t longest_bytes = 0;
  size_t start = reply.find('[');
  for (int tried = 0; start != reply.npos && tried < kMostBrackets; ++tried, start = reply.find('[', start)) {
    const size_t end = end_of_array(reply, start);
    std::optional<json> value;
    if (end != reply.npos) value = parse_json(reply.substr(start, end - start));
    if (!value) {
      ++start;
      continue;
    }
    if (end - start > longest_bytes) {
      longest_bytes = end - start;
      longest = std::move(value);
    }
    start = end;
  }
  return longest;
}

std::string parse_generate_reply(std::string_view reply, std::vector<std::string>* questions) {
  const std::optional<json> list = find_json_array(reply);
  if (!list) return std::string(kNoArray);
  questions->clear();
  std::set<std::string> known;
  for (const json& item : *list) {
    const std::string question = as_question(item);
    if (question.empty()) return no_question(item);
    if (known.insert(ascii_lower(question)).second) questions->push_back(question);
  }
  return questions->empty() ? "the reply holds no question" : "";
}

std::string parse_validate_reply(std::string_view reply, size_t count, std::vector<InvalidQuestion>* invalid) {
  std::vector<json> verdicts;
  if (const std::string fault = numbered_objects(reply, count, &verdicts); !fault.empty()) return fault;
  invalid->clear();
  for (size_t index = 0; index < count; ++index) {
    const json& verdict = verdicts[index];
    if (!verdict.contains("valid") || !verdict["valid"].is_boolean())
      return cat("an item without true or false for \"valid\": ", verdict.dump());
    const bool has_reason = verdict.contains("reason") && verdict["reason"].is_string();
    if (!verdict["valid"].get<bool>())
      invalid->push_back({index, has_reason ? verdict["reason"].get<std::string>() : ""});
  }
  return "";
}

std::string parse_tag_reply(std::string_view reply, size_t count, std::vector<std::string>* tags) {
  std::vector<json> items;
  std::string fault = numbered_objects(reply, count, &items);
  tags->clear();
  for (size_t index = 0; fault.empty() && index < count; ++index)
    tags->push_back(read_tag(items[index], kSemanticTags, &fault));
  return fault;
}

std::string parse_quality_reply(std::string_view reply, std::vector<AtomicQuestion>* questions) {
  const std::optional<json> list = find_json_array(reply);
  if (!list) return std::string(kNoArray);
  questions->clear();
  std::set<std::string> known;
  for (const json& item : *list) {
    if (!item.is_object() || !item.contains("question")) return no_question(item);
    const std::string question = as_question(item["question"]);
    if (question.empty()) return no_question(item);
    std::string fault;
    const std::string tag = read_tag(item, kQualityTags, &fault);
    if (!fault.empty()) return fault;
    if (known.insert(ascii_lower(question)).second)
      questions->push_back({"quality", tag, question, cat('q', questions->size() + 1)});
  }
  return questions->empty() ? "the reply holds no question" : "";
}

}  // namespace diptych
