#pragma once
// The words and numbers of a judge's reply, whatever stands around them: markup, quotes, code fences, full-width signs.

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace diptych {

/** Valid UTF-8 with full-width signs of ASCII (U+FF01 to U+FF5E, U+3000) as the signs themselves. */
std::string plain_signs(std::string_view text);

/** A word or number: letters and digits, and points and commas between digits. */
struct ReplyWord {
  std::string text;  // without capital letters of ASCII
  size_t begin = 0;  // bytes of the text it stands in
  size_t end = 0;
};

/** The words of a text as plain_signs returns it. */
std::vector<ReplyWord> reply_words(std::string_view text);

/** True for yes, false for no, in English, Chinese, Japanese, Korean and Russian; nullopt for any other word. */
std::optional<bool> yes_or_no(std::string_view word);

/** The verdict in words: the first word that is no announcement ("The answer is", "boxed"), if it is yes or no and
 * stands first of all words or apart from the next. nullopt for any other text, such as "The result is no different" or
 *  "Answer: yes/no". */
std::optional<ReplyWord> yes_no_verdict(std::string_view text);

/** The rating that a text consists of or begins with: one number in [low, high], behind nothing but an announcement
 *  ("My rating is"), with or without "/high" or "out of high", and apart from what follows it. nullopt for numbers in
 *  prose ("3 red circles"), several numbers, another scale, a sign, a per cent sign, and numbers out of range. */
std::optional<double> rating_in_words(std::string_view text, double low, double high);

/** The number of a word such as "8" or "8.5"; nullopt for others. */
std::optional<double> number_of_word(std::string_view word);

/** Whether all words of a text announce a rating, as in "output score = ". */
bool announces_rating(std::string_view text);

}  // namespace diptych
