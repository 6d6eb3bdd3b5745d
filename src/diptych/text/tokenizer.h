#pragma once
// The byte-level BPE tokenizer of Qwen2 and BAGEL (modeling/qwen2/tokenization_qwen2.py).

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "diptych/text/byte_pair_encoder.h"
#include "diptych/text/tokenizer_files.h"

namespace diptych {

/** Immutable after loading; all members may be called from several threads. */
class Tokenizer {
 public:
  /** Reads the tokenizer files of a model folder (see read_tokenizer_files). Throws Error(model), also if a byte has no
   *  token or one of the five special tokens below is missing. */
  static Tokenizer load(const std::filesystem::path& folder);

  /** Token ids of a text, nothing added. Special tokens in the text become their ids (longest match first); what lies
   *  between them is normalised to NFC, pre-tokenized and merged. Invalid UTF-8 is read as U+FFFD (repair_utf8). */
  std::vector<int64_t> encode(std::string_view text) const;

  /** The same of a text that a stranger wrote: the added tokens that are marked special, and the five below, are read
   * as the characters they consist of. */
  std::vector<int64_t> encode_plain_text(std::string_view text) const;

  /** The text of the ids; parts that are no valid UTF-8 become U+FFFD (repair_utf8). `skip_special` leaves out the
   * added tokens that are marked special. Throws Error(data) on an id without a token. */
  std::string decode(std::span<const int64_t> ids, bool skip_special = false) const;

  int64_t im_start() const { return im_start_; }          // <|im_start|>, begins a text segment
  int64_t im_end() const { return im_end_; }              // <|im_end|>, ends a text segment
  int64_t vision_start() const { return vision_start_; }  // <|vision_start|>, begins an image segment
  int64_t vision_end() const { return vision_end_; }      // <|vision_end|>, ends an image segment
  int64_t endoftext() const { return endoftext_; }        // <|endoftext|>, padding

  /** One past the largest id. A model's vocabulary may be larger: such ids have no token. */
  int64_t size() const { return static_cast<int64_t>(tokens_.size()); }

  /** The token as the vocabulary spells it (byte alphabet; added tokens as they are). Throws Error(data) if none. */
  const std::string& token(int64_t id) const;

 private:
  struct Token {
    std::string spelling;
    std::string bytes;  // empty: no token has this id
    bool special = false;
  };

  const Token& find(int64_t id) const;
  const AddedToken* added_token_at(std::string_view text) const;
  bool is_control(const AddedToken& added) const;
  std::vector<int64_t> encode(std::string_view text, bool with_control) const;
  void encode_plain(std::string_view text, std::vector<int64_t>* ids) const;

  std::vector<Token> tokens_;      // by id
  std::vector<AddedToken> added_;  // longest text first
  BytePairEncoder encoder_;
  int64_t im_start_ = 0;
  int64_t im_end_ = 0;
  int64_t vision_start_ = 0;
  int64_t vision_end_ = 0;
  int64_t endoftext_ = 0;
};

}  // namespace diptych
