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

/** Reads vocab.json and merges.txt of `folder`, or tokenizer.json where one of them is missing or `tokenizer_class`
 *  leaves the form to it. The added tokens come from `added_tokens_decoder` of tokenizer_config.json, else from
 *  tokenizer.json, else from added_tokens.json and the special tokens that special_tokens_map.json or
 *  tokenizer_config.json names. Throws Error(model) that names the file (and the line of merges.txt): missing files,
 * bad JSON, duplicate ids, merges of unknown tokens, in tokenizer.json a model, normalizer, pre-tokenizer,
 * post-processor or decoder other than Qwen2's, in tokenizer_config.json another class and options that change ids or
 * texts. */
TokenizerFiles read_tokenizer_files(const std::filesystem::path& folder);

/** added_tokens.json and special_tokens_map.json, those that are there and may matter: none where tokenizer_config.json
 *  lists the added tokens. */
std::vector<std::filesystem::path> older_token_files(const std::filesystem::path& folder);

}  // namespace diptych
