#pragma once
// Which words of a text changed.

#include <string>
#include <string_view>
#include <vector>

namespace diptych {

enum class WordChange { kept, removed, added };

/** Neighbouring words of one kind, joined by single spaces. */
struct TextPiece {
  WordChange change = WordChange::kept;
  std::string words;
};

/** The shortest way from one text to the other by removing and adding words (longest common subsequence of words, split
 *  at white space). Where both stand in one place, removed comes first. Beyond kMostDifferenceWords words a side, all
 *  of the first is removed and all of the second added. */
std::vector<TextPiece> text_difference(std::string_view before, std::string_view after);

inline constexpr size_t kMostDifferenceWords = 2000;  // the table of the search has that many rows and columns

/** The pieces as HTML with <del> and <ins>. */
std::string difference_html(const std::vector<TextPiece>& pieces);

}  // namespace diptych
