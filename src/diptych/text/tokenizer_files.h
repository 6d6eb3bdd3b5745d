#pragma once
// Reading the tokenizer files of a model folder.

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "diptych/text/byte_pair_encoder.h"

namespace diptych {

/** A token that is matched as a whole in the text, ahead of byte-pair encoding. */
struct AddedToken {
  int64_t id;
  std::string text;
  bool special;  // left out by decode(skip_special)
};

struct TokenizerFiles {
  std::vector<std::pair<std::string, int64_t>> vocabulary;  // tokens in the byte alphabet, by id; no id occurs twice
  std::vector<MergeRule> merges;                            // by rank
  std::vector<AddedToken> added;                            // no id and no text occurs twice
};

/** Reads vocab.json and merges.txt of `folder`, or tokenizer.json where one of them is missing; the added tokens come
 *  from `added_tokens_decoder` of tokenizer_config.json, or else from tokenizer.json.
 *  Throws Error(model) that names the file (and the line of merges.txt): missing files, bad JSON, duplicate ids, merges
 *  of unknown tokens, and in tokenizer.json a model, normalizer or pre-tokenizer other than Qwen2's. */
TokenizerFiles read_tokenizer_files(const std::filesystem::path& folder);

}  // namespace diptych
