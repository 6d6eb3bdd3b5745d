#include "diptych/report/html/text_difference.h"

#include <algorithm>
#include <cstdint>

#include "diptych/base/text_format.h"
#include "diptych/report/html/escape.h"

namespace diptych {

namespace {

using Words = std::vector<std::string_view>;

Words words_of(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  Words words;
  for (size_t start = text.find_first_not_of(kSpace); start != text.npos;) {
    const size_t end = std::min(text.find_first_of(kSpace, start), text.size());
    words.push_back(text.substr(start, end - start));
    start = text.find_first_not_of(kSpace, end);
  }
  return words;
}

/** Length of the longest common subsequence of the words from i and from j on, at [i][j]. */
using Lengths = std::vector<std::vector<uint16_t>>;

Lengths common_lengths(const Words& before, const Words& after) {
  Lengths lengths(before.size() + 1, std::vector<uint16_t>(after.size() + 1, 0));
  for (size_t i = before.size(); i-- > 0;)
    for (size_t j = after.size(); j-- > 0;)
      lengths[i][j] = before[i] == after[j] ? static_cast<uint16_t>(lengths[i + 1][j + 1] + 1)
                                            : std::max(lengths[i + 1][j], lengths[i][j + 1]);
  return lengths;
}

void add_word(WordChange change, std::string_view word, std::vector<TextPiece>& pieces) {
  if (pieces.empty() || pieces.back().change != change)
    pieces.push_back({change, std::string(word)});
  else
    pieces.back().words.append(" ").append(word);
}

}  // namespace

std::vector<TextPiece> text_difference(std::string_view before, std::string_view after) {
  const Words old_words = words_of(before), new_words = words_of(after);
  std::vector<TextPiece> pieces;
  size_t i = 0, j = 0;
  if (std::max(old_words.size(), new_words.size()) <= kMostDifferenceWords) {
    const Lengths lengths = common_lengths(old_words, new_words);
    while (i < old_words.size() && j < new_words.size()) {
      if (old_words[i] == new_words[j]) {
        add_word(WordChange::kept, old_words[i], pieces);
        ++i, ++j;
      } else if (lengths[i + 1][j] >= lengths[i][j + 1]) {
        add_word(WordChange::removed, old_words[i++], pieces);
      } else {
        add_word(WordChange::added, new_words[j++], pieces);
      }
    }
  }
  for (; i < old_words.size(); ++i) add_word(WordChange::removed, old_words[i], pieces);
  for (; j < new_words.size(); ++j) add_word(WordChange::added, new_words[j], pieces);
  return pieces;
}

std::string difference_html(const std::vector<TextPiece>& pieces) {
  std::string html;
  for (const TextPiece& piece : pieces) {
    const char* tag = piece.change == WordChange::removed ? "del" : piece.change == WordChange::added ? "ins" : "";
    if (!html.empty()) html += " ";
    html += *tag == '\0' ? escape_html(piece.words) : cat("<", tag, ">", escape_html(piece.words), "</", tag, ">");
  }
  return html;
}

}  // namespace diptych
