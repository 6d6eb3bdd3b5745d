#pragma once
// What a judge said, under what models dress it in: markup, quotes, full-width signs, labels.

#include <optional>
#include <string>
#include <string_view>

namespace diptych {

/** The text in lower case without markup and quotes (* _ ` # ~ < > and straight or typographic quotes) and without
 *  invisible signs; full-width letters, digits and signs are plain ones, white space of any kind is one blank. */
std::string plain_reply(std::string_view text);

/** True for yes, false for no, if a word, or a token, is one of them: plain, and without punctuation around it. Also in
 *  Chinese. */
std::optional<bool> yes_or_no_word(std::string_view word);

/** Whether plain_reply(token) holds nothing but signs: what may stand ahead of an answer. */
bool is_without_words(std::string_view token);

/** Yes or no, if the reply begins with one of them, behind a label such as "Answer:" where there is one. A choice that
 *  is only repeated ("yes or no") is neither, nor is a word that goes on ("not", "yesterday"). */
std::optional<bool> said_yes(std::string_view reply);

/** A mark and what it is out of, as in "4/5" and "8 out of 10". */
struct Mark {
  double value = 0;
  std::optional<double> scale;
};

/** The mark of a reply that holds nothing else, but for a label such as "Score:" and signs. A number inside a sentence
 *  ("3 cats") is none. */
std::optional<Mark> said_mark(std::string_view reply);

/** The mark if it lies in [low, high], and its scale, if it has one, is `high`. */
std::optional<double> mark_within(const std::optional<Mark>& mark, double low, double high);

}  // namespace diptych
