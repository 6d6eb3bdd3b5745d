#include "diptych/text/tokenizer.h"

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/text/byte_alphabet.h"
#include "diptych/text/pretokenizer.h"
#include "diptych/text/unicode.h"

namespace diptych {
namespace {

std::array<int64_t, 256> find_byte_ids(const TokenizerFiles& files, const std::string& where) {
  const std::unordered_map<std::string, int64_t> ids(files.vocabulary.begin(), files.vocabulary.end());
  std::array<int64_t, 256> byte_ids{};
  for (std::size_t byte = 0; byte < 256; ++byte) {
    const auto found = ids.find(byte_characters()[byte]);
    if (found == ids.end()) {
      throw Error(ExitCode::model, {where, "a token for each of the 256 bytes",
                                    cat("none for byte ", byte, " (\"", byte_characters()[byte], "\")"),
                                    "only byte-level vocabularies are implemented"});
    }
    byte_ids[byte] = found->second;
  }
  return byte_ids;
}

/** Ids from 0 to the largest, with and without a token. */
std::size_t count_ids(const TokenizerFiles& files, const std::string& where) {
  int64_t size = 0;
  for (const auto& [token, id] : files.vocabulary) size = std::max(size, id + 1);
  for (const AddedToken& added : files.added) size = std::max(size, added.id + 1);
  const std::size_t count = files.vocabulary.size() + files.added.size();
  if (size > static_cast<int64_t>(8 * count + 1024)) {
    throw Error(ExitCode::model,
                {where, cat("ids without large gaps for ", count, " tokens"), cat("the id ", size - 1), ""});
  }
  return static_cast<std::size_t>(size);
}

int64_t special_id(const TokenizerFiles& files, std::string_view text, const std::string& where) {
  const auto found =
      std::find_if(files.added.begin(), files.added.end(), [&](const AddedToken& added) { return added.text == text; });
  if (found == files.added.end()) {
    throw Error(ExitCode::model,
                {where, cat("the added token ", text), "none",
                 "tokenizer_config.json (added_tokens_decoder) or tokenizer.json (added_tokens) must list it"});
  }
  return found->id;
}

}  // namespace

Tokenizer Tokenizer::load(const std::filesystem::path& folder) {
  const TokenizerFiles files = read_tokenizer_files(folder);
  const std::string where = folder.string();
  Tokenizer tokenizer;
  tokenizer.tokens_.resize(count_ids(files, where));
  const auto is_added = [&](const std::string& token, int64_t id) {
    return std::any_of(files.added.begin(), files.added.end(),
                       [&](const AddedToken& added) { return added.text == token && added.id == id; });
  };
  for (const auto& [token, id] : files.vocabulary) {
    const std::optional<std::string> bytes = token_bytes(token);
    if (!bytes && is_added(token, id)) continue;  // in letters of its own; placed below
    if (!bytes || bytes->empty()) {
      throw Error(ExitCode::model, {where, "tokens in the byte alphabet", cat("token ", id, ", \"", token, "\""),
                                    "only byte-level vocabularies are implemented"});
    }
    tokenizer.tokens_[static_cast<std::size_t>(id)] = {token, *bytes, false};
  }
  for (const AddedToken& added : files.added) {
    Token& token = tokenizer.tokens_[static_cast<std::size_t>(added.id)];
    if (!token.bytes.empty() && token.spelling != added.text) {
      throw Error(ExitCode::model, {where, "a different id for each token",
                                    cat("id ", added.id, " for both ", token.spelling, " and ", added.text), ""});
    }
    token = {added.text, added.text, added.special};
  }

  tokenizer.encoder_ = BytePairEncoder(find_byte_ids(files, where), files.merges);
  tokenizer.added_ = files.added;
  std::stable_sort(tokenizer.added_.begin(), tokenizer.added_.end(),
                   [](const AddedToken& a, const AddedToken& b) { return a.text.size() > b.text.size(); });

  tokenizer.im_start_ = special_id(files, "<|im_start|>", where);
  tokenizer.im_end_ = special_id(files, "<|im_end|>", where);
  tokenizer.vision_start_ = special_id(files, "<|vision_start|>", where);
  tokenizer.vision_end_ = special_id(files, "<|vision_end|>", where);
  tokenizer.endoftext_ = special_id(files, "<|endoftext|>", where);
  return tokenizer;
}

const AddedToken* Tokenizer::added_token_at(std::string_view text) const {
  for (const AddedToken& added : added_) {
    if (text.substr(0, added.text.size()) == added.text) return &added;
  }
  return nullptr;
}

void Tokenizer::encode_plain(std::string_view text, std::vector<int64_t>* ids) const {
  const std::string normalized = normalize_nfc(text);
  for (const std::string_view piece : pretokenize(normalized)) encoder_.encode(piece, ids);
}

bool Tokenizer::is_control(const AddedToken& added) const {
  const std::array markers = {im_start_, im_end_, vision_start_, vision_end_, endoftext_};
  return added.special || std::find(markers.begin(), markers.end(), added.id) != markers.end();
}

std::vector<int64_t> Tokenizer::encode(std::string_view text) const {
  return encode(text, /*with_control=*/true);
}

std::vector<int64_t> Tokenizer::encode_plain_text(std::string_view text) const {
  return encode(text, /*with_control=*/false);
}

std::vector<int64_t> Tokenizer::encode(std::string_view text, bool with_control) const {
  const std::string valid = repair_utf8(text);
  const std::string_view rest(valid);
  std::vector<int64_t> ids;
  std::size_t plain_start = 0;
  for (std::size_t position = 0; position < rest.size();) {
    const AddedToken* added = added_token_at(rest.substr(position));
    if (added == nullptr || (!with_control && is_control(*added))) {
      ++position;
      continue;
    }
    encode_plain(rest.substr(plain_start, position - plain_start), &ids);
    ids.push_back(added->id);
    position += added->text.size();
    plain_start = position;
  }
  encode_plain(rest.substr(plain_start), &ids);
  return ids;
}

std::string Tokenizer::decode(std::span<const int64_t> ids, bool skip_special) const {
  std::string bytes;
  for (const int64_t id : ids) {
    const Token& token = find(id);
    if (!(skip_special && token.special)) bytes += token.bytes;
  }
  return repair_utf8(bytes);
}

const std::string& Tokenizer::token(int64_t id) const {
  return find(id).spelling;
}

const Tokenizer::Token& Tokenizer::find(int64_t id) const {
  if (id < 0 || id >= size() || tokens_[static_cast<std::size_t>(id)].bytes.empty()) {
    throw Error(ExitCode::data, {"token id", cat("an id with a token, from 0 to ", size() - 1), cat(id),
                                 "models often have more embedding rows than tokens; those rows must not be sampled"});
  }
  return tokens_[static_cast<std::size_t>(id)];
}

}  // namespace diptych
