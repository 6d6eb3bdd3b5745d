#include "diptych/text/pretokenizer.h"

#include <cstddef>
#include <optional>

#include "diptych/text/unicode.h"

namespace diptych {
namespace {

enum class Kind { letter, number, line_break, space, other };

struct Character {
  char32_t code_point;
  Kind kind;
  std::size_t offset;  // bytes from the start of the text
};

using Characters = std::vector<Character>;

Kind kind_of(char32_t code_point) {
  if (code_point == '\r' || code_point == '\n') return Kind::line_break;
  if (is_white_space(code_point)) return Kind::space;
  if (is_letter(code_point)) return Kind::letter;
  if (is_number(code_point)) return Kind::number;
  return Kind::other;
}

Characters classify(std::string_view text) {
  Characters characters;
  characters.reserve(text.size());
  for (std::size_t position = 0; position < text.size();) {
    const std::size_t offset = position;
    const char32_t code_point = next_code_point(text, &position);
    characters.push_back({code_point, kind_of(code_point), offset});
  }
  return characters;
}

bool is_kind(const Characters& characters, std::size_t i, Kind kind) {
  return i < characters.size() && characters[i].kind == kind;
}

std::size_t skip(const Characters& characters, std::size_t i, Kind kind) {
  while (is_kind(characters, i, kind)) ++i;
  return i;
}

/** Lower case of the letters that occur in contractions, 0 of anything else. */
char contraction_letter(const Characters& characters, std::size_t i) {
  if (i >= characters.size()) return 0;
  const char32_t code_point = characters[i].code_point;
  if (code_point == 0x17F) return 's';  // U+017F, long s, folds to s: Python's regex and Oniguruma both match it
  if (code_point >= 'A' && code_point <= 'Z') return static_cast<char>(code_point - 'A' + 'a');
  return code_point >= 'a' && code_point <= 'z' ? static_cast<char>(code_point) : 0;
}

/** (?i:'s|'t|'re|'ve|'m|'ll|'d) */
std::optional<std::size_t> match_contraction(const Characters& characters, std::size_t i) {
  if (characters[i].code_point != '\'') return std::nullopt;
  const char first = contraction_letter(characters, i + 1);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return i + 2;
  const char second = contraction_letter(characters, i + 2);
  if ((first == 'r' && second == 'e') || (first == 'v' && second == 'e') || (first == 'l' && second == 'l')) {
    return i + 3;
  }
  return std::nullopt;
}

/** [^\r\n\p{L}\p{N}]?\p{L}+ */
std::optional<std::size_t> match_word(const Characters& characters, std::size_t i) {
  const bool has_prefix = is_kind(characters, i, Kind::space) || is_kind(characters, i, Kind::other);
  const std::size_t start = i + (has_prefix ? 1 : 0);
  const std::size_t end = skip(characters, start, Kind::letter);
  return end > start ? std::optional(end) : std::nullopt;
}

/**  ?[^\s\p{L}\p{N}]+[\r\n]* */
std::optional<std::size_t> match_symbols(const Characters& characters, std::size_t i) {
  const std::size_t start = i + (characters[i].code_point == ' ' ? 1 : 0);
  const std::size_t end = skip(characters, start, Kind::other);
  return end > start ? std::optional(skip(characters, end, Kind::line_break)) : std::nullopt;
}

/** \s*[\r\n]+|\s+(?!\S)|\s+ */
std::size_t match_white_space(const Characters& characters, std::size_t i) {
  std::size_t end = i;
  std::size_t after_last_break = i;
  for (; is_kind(characters, end, Kind::space) || is_kind(characters, end, Kind::line_break); ++end) {
    if (characters[end].kind == Kind::line_break) after_last_break = end + 1;
  }
  if (after_last_break > i) return after_last_break;
  if (end == characters.size() || end == i + 1) return end;
  return end - 1;  // the last space belongs to what follows
}

std::size_t match(const Characters& characters, std::size_t i) {
  if (const auto end = match_contraction(characters, i)) return *end;
  if (const auto end = match_word(characters, i)) return *end;
  if (characters[i].kind == Kind::number) return i + 1;
  if (const auto end = match_symbols(characters, i)) return *end;
  return match_white_space(characters, i);
}

}  // namespace

std::vector<std::string_view> pretokenize(std::string_view text) {
  const Characters characters = classify(text);
  std::vector<std::string_view> pieces;
  for (std::size_t i = 0; i < characters.size();) {
    const std::size_t end = match(characters, i);
    const std::size_t last = end < characters.size() ? characters[end].offset : text.size();
    pieces.push_back(text.substr(characters[i].offset, last - characters[i].offset));
    i = end;
  }
  return pieces;
}

}  // namespace diptych
