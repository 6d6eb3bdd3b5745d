#pragma once
// Training of a small byte-level BPE vocabulary, and the files of a tokenizer folder.

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace diptych {

/** A vocabulary without special tokens, in the byte alphabet (see byte_alphabet.h). */
struct BpeModel {
  std::vector<std::string> vocab;                           // by id; ids 0 to 255 are the bytes
  std::vector<std::pair<std::string, std::string>> merges;  // by rank
};

/** Learns up to `merges` merge rules from plain texts (no special tokens in them), normalised and pre-tokenized as the
 *  tokenizer does: each step merges the most frequent adjacent pair, of equally frequent ones the pair that sorts first
 *  by its two spellings; it stops when no pair occurs twice. The result depends on the multiset of pieces alone.
 *  Two rules that spell the same token share its id. (Sennrich et al. 2016, algorithm 1, on bytes.) */
BpeModel train_bpe(const std::vector<std::string>& corpus, int64_t merges);

/** Tokens of the tokenizer that write_tokenizer_files makes of a model: its vocabulary and five special tokens. */
int64_t tokenizer_size(const BpeModel& model);

/** Writes vocab.json, merges.txt, tokenizer.json (form of the Rust `tokenizers` library) and tokenizer_config.json of a
 *  Qwen2 tokenizer into `folder`, which is created if needed. The special tokens <|endoftext|>, <|im_start|>,
 *  <|im_end|>, <|vision_start|>, <|vision_end|> take the five ids after the vocabulary. Throws Error(io). */
void write_tokenizer_files(const std::filesystem::path& folder, const BpeModel& model);

}  // namespace diptych
