#include "diptych/reward/protocols/reply_words.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>

#include "diptych/base/ascii.h"
#include "diptych/text/unicode.h"

namespace diptych {

namespace {

constexpr size_t kLongestNumber = 32;  // characters; nobody rates with more

constexpr std::array<std::string_view, 13> kYesWords = {"yes",  "是", "是的", "对", "对的", "正确", "有",
                                                        "はい", "예", "네",   "да", "Да",   "ДА"};
constexpr std::array<std::string_view, 11> kNoWords = {"no",     "否",     "不",     "不是", "不对", "没有",
                                                       "いいえ", "아니요", "아니오", "нет",  "Нет"};

// What stands ahead of an answer and says nothing by itself. Names of code fences and markup count as such.
constexpr std::array<std::string_view, 27> kAnnouncement = {
    "the",       "my",     "final",    "short",      "answer", "verdict", "judgement", "judgment", "response",
    "reply",     "result", "decision", "conclusion", "is",     "output",  "boxed",     "text",     "json",
    "plaintext", "b",      "strong",   "em",         "答案",   "回答",    "答",        "答え",     "ответ"};
constexpr std::array<std::string_view, 23> kRatingAnnouncement = {
    "score", "rating", "rate",    "grade",   "mark",       "a",  "an", "i",    "would", "d",    "give", "this",
    "it",    "image",  "picture", "overall", "assessment", "of", "as", "with", "得分",  "评分", "分数"};
constexpr std::array<std::string_view, 6> kUnits = {"star", "stars", "point", "points", "分", "星"};

template <size_t N>
bool is_one_of(std::string_view word, const std::array<std::string_view, N>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool announces_answer(const ReplyWord& word) {
  return is_one_of(word.text, kAnnouncement);
}

bool announces_number(const ReplyWord& word) {
  return announces_answer(word) || is_one_of(word.text, kRatingAnnouncement);
}

/** What stands between two words, or behind the last one. */
std::string_view gap_behind(std::string_view text, const std::vector<ReplyWord>& words, size_t index) {
  const size_t begin = words[index].end;
  return text.substr(begin, (index + 1 < words.size() ? words[index + 1].begin : text.size()) - begin);
}

bool is_decoration(char c) {
  return c == ' ' || c == '\t' || c == '*' || c == '_' || c == '`' || c == '"' || c == '\'';
}

/** Whether signs other than decoration keep the word apart from the next: a full stop, a comma, a line break. */
bool stands_apart(std::string_view text, const std::vector<ReplyWord>& words, size_t index) {
  const std::string_view gap = gap_behind(text, words, index);
  return index + 1 == words.size() || !std::all_of(gap.begin(), gap.end(), is_decoration);
}

bool has_sign(std::string_view text, const ReplyWord& number) {
  const std::string_view before = text.substr(0, number.begin);
  return before.ends_with('-') || before.ends_with("−") || before.ends_with('.');
}

bool is_percentage(std::string_view text, const ReplyWord& number) {
  return trimmed(text.substr(number.end)).starts_with('%');
}

/** The index of the first word behind a scale "/high" or "out of high" that follows the number, or of the next word
 *  where there is none; nullopt for another scale. */
std::optional<size_t> behind_scale(std::string_view text, const std::vector<ReplyWord>& words, size_t number,
                                   double high) {
  size_t scale = number + 1;
  if (scale < words.size() && words[scale].text == "out") ++scale;
  if (scale < words.size() && words[scale].text == "of") ++scale;
  const bool has_words = scale > number + 1;
  const std::string_view gap = gap_behind(text, words, number);
  const auto sign = std::find_if_not(gap.begin(), gap.end(), is_decoration);
  const bool has_slash = !has_words && sign != gap.end() && *sign == '/';
  if (!has_words && !has_slash) return number + 1;
  if (scale == words.size() || number_of_word(words[scale].text) != high || is_percentage(text, words[scale]))
    return std::nullopt;
  return scale + 1;
}

}  // namespace

std::string plain_signs(std::string_view text) {
  const std::string valid = repair_utf8(text);
  std::string plain;
  for (size_t at = 0; at < valid.size();) {
    const char32_t sign = next_code_point(valid, &at);
    const bool is_wide = sign >= 0xFF01 && sign <= 0xFF5E;
    append_code_point(&plain, is_wide ? sign - 0xFEE0 : sign == 0x3000 ? U' ' : sign);
  }
  return plain;
}

std::vector<ReplyWord> reply_words(std::string_view text) {
  std::vector<ReplyWord> words;
  bool is_inside = false;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const char32_t sign = next_code_point(text, &at);
    const bool is_between_digits = is_inside && (sign == '.' || sign == ',') && is_ascii_digit(text[begin - 1]) &&
                                   at < text.size() && is_ascii_digit(text[at]);
    if (!is_letter(sign) && !is_number(sign) && !is_between_digits) {
      is_inside = false;
      continue;
    }
    if (!is_inside) words.push_back({"", begin, begin});
    is_inside = true;
    words.back().end = at;
  }
  for (ReplyWord& word : words) word.text = ascii_lower(text.substr(word.begin, word.end - word.begin));
  return words;
}

std::optional<bool> yes_or_no(std::string_view word) {
  if (is_one_of(word, kYesWords)) return true;
  if (is_one_of(word, kNoWords)) return false;
  return std::nullopt;
}

std::optional<ReplyWord> yes_no_verdict(std::string_view text) {
  const std::vector<ReplyWord> words = reply_words(text);
  const auto first = std::find_if_not(words.begin(), words.end(), announces_answer);
  if (first == words.end() || !yes_or_no(first->text)) return std::nullopt;
  const auto next = first + 1;
  if (next == words.end()) return *first;
  // "yes or no", "yes/no": the question, not the answer.
  if (next->text == "or" || (yes_or_no(next->text) && yes_or_no(next->text) != yes_or_no(first->text)))
    return std::nullopt;
  const bool is_apart = stands_apart(text, words, static_cast<size_t>(first - words.begin()));
  return first == words.begin() || is_apart ? std::optional(*first) : std::nullopt;
}

std::optional<double> number_of_word(std::string_view word) {
  const bool is_plain = !word.empty() && word.size() <= kLongestNumber && is_ascii_digit(word.front()) &&
                        std::all_of(word.begin(), word.end(), [](char c) { return is_ascii_digit(c) || c == '.'; }) &&
                        std::count(word.begin(), word.end(), '.') <= 1;
  if (!is_plain) return std::nullopt;
  return std::strtod(std::string(word).c_str(), nullptr);
}

std::optional<double> rating_in_words(std::string_view written, double low, double high) {
  const std::string text = plain_signs(written);
  std::vector<ReplyWord> words = reply_words(text);
  // "8分" is one word.
  for (ReplyWord& word : words)
    for (const std::string_view unit : {"分", "星"})
      if (word.text.size() > unit.size() && word.text.ends_with(unit)) {
        word.text.resize(word.text.size() - unit.size());
        word.end -= unit.size();
      }
  const auto found = std::find_if_not(words.begin(), words.end(), announces_number);
  if (found == words.end()) return std::nullopt;
  const std::optional<double> rating = number_of_word(found->text);
  if (!rating || !(*rating >= low && *rating <= high)) return std::nullopt;
  if (has_sign(text, *found) || is_percentage(text, *found)) return std::nullopt;
  const auto number = static_cast<size_t>(found - words.begin());
  const std::optional<size_t> rest = behind_scale(text, words, number, high);
  if (!rest) return std::nullopt;
  const auto has_digit = [](const ReplyWord& word) {
    return std::any_of(word.text.begin(), word.text.end(), is_ascii_digit);
  };
  if (std::any_of(words.begin() + static_cast<ptrdiff_t>(*rest), words.end(), has_digit)) return std::nullopt;
  const bool is_apart =
      *rest == words.size() || is_one_of(words[*rest].text, kUnits) || stands_apart(text, words, *rest - 1);
  return is_apart ? rating : std::nullopt;
}

bool announces_rating(std::string_view text) {
  const std::vector<ReplyWord> words = reply_words(plain_signs(text));
  return std::all_of(words.begin(), words.end(), announces_number);
}

}  // namespace diptych
