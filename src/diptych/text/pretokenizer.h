#pragma once
// The split of text into pieces that byte-pair merges never cross.

#include <string_view>
#include <vector>

namespace diptych {

/** The regular expression that `pretokenize` implements (Qwen2, modeling/qwen2/tokenization_qwen2.py). */
inline constexpr std::string_view kPretokenizerPattern =
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|"
    "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** All matches of kPretokenizerPattern in valid UTF-8, in order, as views into `text`. They cover it completely. */
std::vector<std::string_view> pretokenize(std::string_view text);

}  // namespace diptych
