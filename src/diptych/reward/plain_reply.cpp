#include "diptych/reward/plain_reply.h"

#include <algorithm>
#include <cstdlib>
#include <regex>

#include "diptych/text/unicode.h"

namespace diptych {

namespace {

constexpr std::string_view kMarkup = "*_`#~<>\"'";
constexpr std::string_view kSigns = " .,:;!?-=()[]{}/\\|+";

/** Of typographic quotes and signs that print nothing. */
bool is_dress(char32_t c) {
  if (c < 0x80) return c < 0x20 || c == 0x7F || kMarkup.find(static_cast<char>(c)) != kMarkup.npos;
  const bool is_quote = (c >= 0x2018 && c <= 0x201F) || c == 0xAB || c == 0xBB || (c >= 0x300C && c <= 0x300F);
  const bool is_invisible = (c >= 0x200B && c <= 0x200F) || c == 0x2060 || c == 0xFEFF || c == 0xFE0F;
  return is_quote || is_invisible;
}

char32_t half_width(char32_t c) {
  if (c >= 0xFF01 && c <= 0xFF5E) return c - 0xFEE0;
  if (c == 0x3002) return '.';  // ideographic full stop
  if (c == 0x3001) return ',';
  return c;
}

std::string_view without_signs(std::string_view text) {
  const size_t begin = text.find_first_not_of(kSigns);
  if (begin == text.npos) return "";
  return text.substr(begin, text.find_last_not_of(kSigns) - begin + 1);
}

std::string_view first_word(std::string_view text) {
  return text.substr(0, text.find_first_of(kSigns));
}

constexpr size_t kLongestLabel = 80;  // bytes; a regular expression over a whole reply could exhaust the stack

constexpr size_t kLongestMark = 120;

/** Behind "answer:", "the final answer is", "\\boxed{" and their like. */
std::string_view behind_label(std::string_view text) {
  static const std::regex label(
      R"([ .,:;=\-(){}\[\]\\|+]*(boxed\b)?[ {(:=]*((the )?(final |overall )*(answer|verdict|judge?ment|response|result|score|rating|mark)( is)?\b)?[ .,:;=\-(){}\[\]\\|]*)");
  const std::string beginning(text.substr(0, kLongestLabel));
  std::smatch match;
  std::regex_search(beginning, match, label, std::regex_constants::match_continuous);
  return text.substr(static_cast<size_t>(match.length()));
}

}  // namespace

std::string plain_reply(std::string_view text) {
  const std::string utf8 = repair_utf8(text);
  std::string plain;
  for (size_t position = 0; position < utf8.size();) {
    char32_t c = half_width(next_code_point(utf8, &position));
    const bool is_blank = is_white_space(c);
    if (!is_blank && is_dress(c)) continue;
    if (is_blank) {
      if (!plain.empty() && plain.back() != ' ') plain += ' ';
      continue;
    }
    if (c >= 'A' && c <= 'Z') c += 'a' - 'A';
    append_code_point(&plain, c);
  }
  return std::string(trim(plain));
}

std::optional<bool> yes_or_no_word(std::string_view word) {
  const std::string plain = plain_reply(word);
  const std::string_view bare = without_signs(plain);
  for (const std::string_view yes : {"yes", "是", "是的", "对", "对的"})
    if (bare == yes) return true;
  for (const std::string_view no : {"no", "否", "不", "不是", "不对"})
    if (bare == no) return false;
  return std::nullopt;
}

bool is_without_words(std::string_view token) {
  return without_signs(plain_reply(token)).empty();
}

std::optional<bool> said_yes(std::string_view reply) {
  const std::string plain = plain_reply(reply);
  const std::string_view text = behind_label(plain);
  const std::string_view word = first_word(text);
  const std::optional<bool> said = yes_or_no_word(word);
  if (!said) return std::nullopt;
  const std::string_view rest = text.substr(word.size());
  if (rest.starts_with("/")) return std::nullopt;
  const std::string_view next = first_word(without_signs(rest));
  if (next == "or" || next == "and") return std::nullopt;
  return said;
}

std::optional<Mark> said_mark(std::string_view reply) {
  static const std::regex form(R"((-?\d+(?:\.\d+)?)(?: ?(?:/|out of) ?(\d+(?:\.\d+)?))?[ .,;!)}\]]*)");
  const std::string plain = plain_reply(reply.substr(0, kLongestMark));
  std::string_view text = behind_label(plain);
  // The label ends with signs, and a minus is none.
  if (text.data() != plain.data() && *(text.data() - 1) == '-') text = {text.data() - 1, text.size() + 1};
  const std::string number(text);
  std::smatch match;
  if (reply.size() > kLongestMark || !std::regex_match(number, match, form)) return std::nullopt;
  Mark mark{std::strtod(match[1].str().c_str(), nullptr), std::nullopt};
  if (match[2].matched) mark.scale = std::strtod(match[2].str().c_str(), nullptr);
  return mark;
}

std::optional<double> mark_within(const std::optional<Mark>& mark, double low, double high) {
  if (!mark || !(mark->value >= low && mark->value <= high) || (mark->scale && *mark->scale != high))
    return std::nullopt;
  return mark->value;
}

}  // namespace diptych
