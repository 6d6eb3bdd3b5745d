#include <algorithm>
#include <map>

#include "diptych/io/files.h"
#include "diptych/text/pretokenizer.h"
#include "diptych/text/think.h"
#include "diptych/text/tokenizer.h"
#include "diptych/text/unicode.h"
#include "fuzz/target.h"

namespace diptych::fuzz {

namespace fs = std::filesystem;

namespace {

const fs::path kCorpus = fs::path(DIPTYCH_SOURCE_DIR) / "tests/fuzz/corpus";

/** The unharmed form of a file. */
const std::map<std::string, fs::path> kWhole = {{"vocab.json", kCorpus / "tokenizer_vocab/small"},
                                                {"merges.txt", kCorpus / "tokenizer_merges/small"},
                                                {"tokenizer_config.json", kCorpus / "tokenizer_config/small"}};

/** A folder with `name` from the input and the named files of a small tokenizer beside it. */
void load_with(const std::string& name, std::span<const std::byte> bytes, const std::vector<std::string>& others) {
  const std::string folder = "tokenizer_of_" + name;
  for (const std::string& other : others)
    if (!fs::exists(scratch_folder() / folder / other)) scratch_file(folder + "/" + other, read_file(kWhole.at(other)));
  const fs::path file = scratch_file(folder + "/" + name, bytes);
  const Tokenizer tokenizer = Tokenizer::load(file.parent_path());
  const std::vector<int64_t> ids = tokenizer.encode("A photo of 2 caf\xc3\xa9s <|im_end|>\n");
  require(std::all_of(ids.begin(), ids.end(), [&](int64_t id) { return id >= 0 && id < tokenizer.size(); }),
          "an id without a token");
  static_cast<void>(tokenizer.decode(ids));
}

void read_text(std::span<const std::byte> bytes) {
  static const Tokenizer tokenizer = Tokenizer::load(fs::path(DIPTYCH_SOURCE_DIR) / "assets/shapes_base");
  const std::string text = repair_utf8(as_text(bytes));
  const std::vector<int64_t> ids = tokenizer.encode(as_text(bytes));
  const std::string decoded = tokenizer.decode(ids);
  require(repair_utf8(decoded) == decoded, "a decoded text that is not UTF-8");
  // Between special tokens each part is normalised for itself.
  if (text.find("<|") == text.npos) require(decoded == normalize_nfc(text), "a text that reads back differently");
  static_cast<void>(parse_think(as_text(bytes)));
}

const std::vector<std::string_view> kJsonWords = {"\"content\"",
                                                  "\"special\"",
                                                  "\"lstrip\": true",
                                                  "\"added_tokens_decoder\"",
                                                  "\"added_tokens\"",
                                                  "\"id\"",
                                                  "<|im_start|>",
                                                  "<|endoftext|>",
                                                  "\"model\"",
                                                  "\"vocab\"",
                                                  "\"merges\"",
                                                  "\"pre_tokenizer\"",
                                                  "\"normalizer\"",
                                                  "\xc4\xa0",
                                                  "\xc4\xa0t",
                                                  "2147483647",
                                                  "\"0\""};

}  // namespace

std::vector<Target> tokenizer_targets() {
  return {
      {.name = "tokenizer_vocab",
       .read =
           [](auto bytes) {
             load_with("vocab.json", bytes, {"merges.txt", "tokenizer_config.json"});
           },
       .words = kJsonWords},
      {.name = "tokenizer_merges",
       .read =
           [](auto bytes) {
             load_with("merges.txt", bytes, {"vocab.json", "tokenizer_config.json"});
           },
       .words = {"#version", " ", "\xc4\xa0", "\xc4\xa0 t", "a b\n", "\r\n", "\n"}},
      {.name = "tokenizer_config",
       .read =
           [](auto bytes) {
             load_with("tokenizer_config.json", bytes, {"vocab.json", "merges.txt"});
           },
       .words = kJsonWords},
      {.name = "tokenizer_added",
       .read =
           [](auto bytes) {
             load_with("added_tokens.json", bytes, {"vocab.json", "merges.txt"});
           },
       .words = kJsonWords},
      {.name = "tokenizer_json",
       .read = [](auto bytes) { load_with("tokenizer.json", bytes, {}); },
       .words = kJsonWords},
      {.name = "tokenizer_text",
       .read = read_text,
       .words = {"<|im_start|>", "<|im_end|>", "<|", "|>", "<think>", "</think>", "'s", "'LL", "\xcc\x81", "\xcc\xa3",
                 "\xe1\x84\x80\xe1\x85\xa1", "\xe0\xbd\xb3", "\xe2\x80\x83", "\xc2\x85", "\xf0\x9f\x91\xa9\xe2\x80\x8d",
                 "\r\n", "  ", "123"}},
  };
}

}  // namespace diptych::fuzz
