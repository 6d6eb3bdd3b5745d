#include "diptych/text/tokenizer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "diptych/base/error.h"
#include "diptych/io/files.h"
#include "diptych/text/bpe_trainer.h"

namespace diptych {
namespace {

using Ids = std::vector<int64_t>;
using Json = nlohmann::json;

/** A folder with a small tokenizer: merges "a b" (256) and "# c" (257), special tokens from 258. */
class TokenizerTest : public testing::Test {
 protected:
  void SetUp() override {
    BpeModel model = train_bpe({}, 0);
    model.vocab.insert(model.vocab.end(), {"ab", "#c"});
    model.merges = {{"a", "b"}, {"#", "c"}};
    write_tokenizer_files(folder_, model);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Json read_json(const char* name) const { return Json::parse(read_file(folder_ / name)); }
  void write(const char* name, const std::string& text) const { write_file_atomic(folder_ / name, text); }
  void keep_tokenizer_json_only() const {
    for (const char* name : {"vocab.json", "merges.txt", "tokenizer_config.json"}) {
      std::filesystem::remove(folder_ / name);
    }
  }

  /** Loading must fail with a message that holds all `parts`. */
  void expect_load_error(const std::vector<std::string>& parts) const {
    try {
      Tokenizer::load(folder_);
      ADD_FAILURE() << "loaded; expected an error about " << parts.front();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::model);
      for (const std::string& part : parts) {
        EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << part << " in: " << error.what();
      }
    }
  }

  std::filesystem::path folder_ = std::filesystem::path(testing::TempDir()) / ("files_" + std::to_string(getpid()));
};

TEST_F(TokenizerTest, EncodesSpecialTokensByLongestMatch) {
  Json config = read_json("tokenizer_config.json");
  for (const auto& [id, content] : {std::pair("263", "<x>"), std::pair("264", "<x>y"), std::pair("265", "x>")}) {
    config["added_tokens_decoder"][id] = {{"content", content}, {"special", false}};
  }
  write("tokenizer_config.json", config.dump());
  const Tokenizer tokenizer = Tokenizer::load(folder_);
  EXPECT_EQ(tokenizer.encode("ab<x>yab<x>x><|im_end|>"), (Ids{256, 264, 256, 263, 265, tokenizer.im_end()}));
}

TEST_F(TokenizerTest, APlainTextHoldsNoSpecialTokens) {
  const Tokenizer tokenizer = Tokenizer::load(folder_);
  for (const char* text : {"<|im_end|>", "<|im_start|>x<|vision_start|>", "ab<|endoftext|>ab", "<|vision_end|>"}) {
    const Ids ids = tokenizer.encode_plain_text(text);
    for (const int64_t id : ids) EXPECT_LT(id, 258) << text;
    EXPECT_EQ(tokenizer.decode(ids), text);
  }
  EXPECT_EQ(tokenizer.encode_plain_text("ab #c"), tokenizer.encode("ab #c"));
}

TEST_F(TokenizerTest, NormalizesBetweenSpecialTokensOnly) {
  const Tokenizer tokenizer = Tokenizer::load(folder_);
  EXPECT_EQ(tokenizer.encode("e\u0301"), tokenizer.encode("\u00e9"));
  const Ids ids = tokenizer.encode("<|im_end|>\u0338");  // U+0338 would compose with '>'
  EXPECT_EQ(ids.front(), tokenizer.im_end());
  EXPECT_EQ(tokenizer.decode(ids), "<|im_end|>\u0338");
}

TEST_F(TokenizerTest, ReadsInvalidUtf8AsReplacementCharacters) {
  const Tokenizer tokenizer = Tokenizer::load(folder_);
  EXPECT_EQ(tokenizer.encode("a\xE2\x82"
                             "b"),
            tokenizer.encode("a\uFFFD"
                             "b"));
}

TEST_F(TokenizerTest, SkipsOnlySpecialTokensWhenDecoding) {
  Json config = read_json("tokenizer_config.json");
  config["added_tokens_decoder"]["263"] = {{"content", "<tool>"}, {"special", false}};
  write("tokenizer_config.json", config.dump());
  const Tokenizer tokenizer = Tokenizer::load(folder_);
  const Ids ids = {tokenizer.im_start(), 256, 263, tokenizer.im_end()};
  EXPECT_EQ(tokenizer.decode(ids), "<|im_start|>ab<tool><|im_end|>");
  EXPECT_EQ(tokenizer.decode(ids, true), "ab<tool>");
}

TEST_F(TokenizerTest, RejectsIdsWithoutAToken) {
  const Tokenizer tokenizer = Tokenizer::load(folder_);
  for (const int64_t id : {int64_t{-1}, tokenizer.size(), tokenizer.size() + 1000}) {
    try {
      tokenizer.decode(Ids{id});
      ADD_FAILURE() << id;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::data);
    }
    EXPECT_THROW(tokenizer.token(id), Error);
  }
}

TEST_F(TokenizerTest, TakesOnlyAVersionLineAsHeader) {
  write("merges.txt", "# c\na b\n");
  EXPECT_EQ(Tokenizer::load(folder_).encode("#c"), (Ids{257}));
  write("merges.txt", "#version: 0.2\r\na b\r\n");
  EXPECT_EQ(Tokenizer::load(folder_).encode("ab"), (Ids{256}));
}

TEST_F(TokenizerTest, ReadsBothMergeEncodingsOfTokenizerJson) {
  keep_tokenizer_json_only();
  EXPECT_EQ(Tokenizer::load(folder_).encode("ab#c"), (Ids{256, 257}));
  Json tokenizer = read_json("tokenizer.json");
  tokenizer["model"]["merges"] = Json::array({Json::array({"a", "b"}), Json::array({"#", "c"})});
  write("tokenizer.json", tokenizer.dump());
  EXPECT_EQ(Tokenizer::load(folder_).encode("ab#c"), (Ids{256, 257}));
}

TEST_F(TokenizerTest, ReadsFilesOfAnySystem) {
  const Ids expected = Tokenizer::load(folder_).encode("ab#c<|im_end|>");
  const std::string mark = "\xEF\xBB\xBF";
  for (const std::string& merges : {mark + "#version: 0.2\na b\n# c\n", mark + "a b\r\n# c", std::string("a b\r# c\r"),
                                    std::string("#version: 0.2 \n a b \n\n# c\t\n")}) {
    write("merges.txt", merges);
    EXPECT_EQ(Tokenizer::load(folder_).encode("ab#c<|im_end|>"), expected) << merges;
  }
  for (const char* name : {"vocab.json", "tokenizer_config.json"}) write(name, mark + read_file(folder_ / name));
  write("chat_template.jinja", "{{ messages }}");
  EXPECT_EQ(Tokenizer::load(folder_).encode("ab#c<|im_end|>"), expected);
  keep_tokenizer_json_only();
  write("tokenizer.json", mark + read_file(folder_ / "tokenizer.json"));
  EXPECT_EQ(Tokenizer::load(folder_).encode("ab#c<|im_end|>"), expected);
}

TEST_F(TokenizerTest, AddedTokensAreReadFromOlderFiles) {
  const Tokenizer plain = Tokenizer::load(folder_);
  const std::string text = "<|im_start|>ab<|vision_end|><tool>";
  Json tokens = {{"<tool>", 263}};
  const Json decoder_of_config = read_json("tokenizer_config.json")["added_tokens_decoder"];
  for (const auto& [id, token] : decoder_of_config.items()) tokens[token["content"].get<std::string>()] = std::stoi(id);
  for (const Json& decoder : {Json(), Json::object()}) {
    Json config = read_json("tokenizer_config.json");
    config["added_tokens_decoder"] = decoder;
    write("tokenizer_config.json", config.dump());
    std::filesystem::remove(folder_ / "added_tokens.json");
    EXPECT_EQ(Tokenizer::load(folder_).encode("<|im_end|>"), (Ids{plain.im_end()})) << "from tokenizer.json";
    std::filesystem::rename(folder_ / "tokenizer.json", folder_ / "aside");
    write("added_tokens.json", tokens.dump());
    const Tokenizer tokenizer = Tokenizer::load(folder_);
    const Ids ids = tokenizer.encode(text);
    EXPECT_EQ(ids, (Ids{plain.im_start(), 256, plain.vision_end(), 263}));
    EXPECT_EQ(tokenizer.decode(ids, true), "ab<tool>");  // special are those that tokenizer_config.json names
    EXPECT_EQ(older_token_files(folder_), (std::vector{folder_ / "added_tokens.json"}));
    std::filesystem::rename(folder_ / "aside", folder_ / "tokenizer.json");
  }
  EXPECT_EQ(plain.size(), 263);
}

TEST_F(TokenizerTest, SpecialTokensMayStandInTheVocabulary) {
  const Tokenizer plain = Tokenizer::load(folder_);
  Json vocabulary = read_json("vocab.json");
  const Json decoder_of_config = read_json("tokenizer_config.json")["added_tokens_decoder"];
  for (const auto& [id, token] : decoder_of_config.items())
    vocabulary[token["content"].get<std::string>()] = std::stoi(id);
  write("vocab.json", vocabulary.dump());
  const Ids expected = plain.encode("<|im_start|>ab<|vision_end|>");
  EXPECT_EQ(Tokenizer::load(folder_).encode("<|im_start|>ab<|vision_end|>"), expected);  // named twice
  for (const char* name : {"tokenizer_config.json", "tokenizer.json"}) std::filesystem::remove(folder_ / name);
  expect_load_error({"<|im_start|>", "none"});
  write("special_tokens_map.json",
        Json{{"additional_special_tokens", {"<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>"}},
             {"pad_token", {{"content", "<|endoftext|>"}, {"lstrip", false}}}}
            .dump());
  EXPECT_EQ(Tokenizer::load(folder_).encode("<|im_start|>ab<|vision_end|>"), expected);
  write("added_tokens.json", R"({"<|im_start|>": -1})");
  expect_load_error({"added_tokens.json", "<|im_start|>", "-1"});
}

TEST_F(TokenizerTest, NamesOptionsThatAreNotBuilt) {
  const Json original = read_json("tokenizer_config.json");
  for (const Json& option : {Json{{"add_prefix_space", true}}, Json{{"add_bos_token", true}},
                             Json{{"do_lower_case", true}}, Json{{"tokenizer_class", "LlamaTokenizer"}},
                             Json{{"split_special_tokens", true}}, Json{{"tokenizer_class", "GPT2Tokenizer"}}}) {
    Json config = original;
    config.update(option);
    write("tokenizer_config.json", config.dump());
    expect_load_error({"tokenizer_config.json", option.begin().key(), option.begin()->dump()});
  }
  for (const Json& option :
       {Json{{"add_bos_token", false}}, Json{{"add_prefix_space", nullptr}}, Json{{"tokenizer_class", nullptr}},
        Json{{"tokenizer_class", "Qwen2TokenizerFast"}}, Json{{"tokenizer_class", "PreTrainedTokenizerFast"}}}) {
    Json config = original;
    config.update(option);
    write("tokenizer_config.json", config.dump());
    EXPECT_EQ(Tokenizer::load(folder_).encode("ab"), (Ids{256})) << option;
  }
  std::filesystem::remove(folder_ / "tokenizer.json");  // which says how a general tokenizer splits
  expect_load_error({"tokenizer_class", "PreTrainedTokenizerFast", "tokenizer.json"});
  write("tokenizer_config.json", "[]");
  expect_load_error({"tokenizer_config.json", "a JSON object"});
}

TEST_F(TokenizerTest, NamesPartsOfTokenizerJsonThatAreNotBuilt) {
  keep_tokenizer_json_only();
  const Json original = read_json("tokenizer.json");
  for (const Json& option : {Json{{"byte_fallback", true}}, Json{{"ignore_merges", true}}, Json{{"dropout", 0.1}},
                             Json{{"unk_token", "<unk>"}}, Json{{"end_of_word_suffix", "</w>"}}}) {
    Json tokenizer = original;
    tokenizer["model"].update(option);
    write("tokenizer.json", tokenizer.dump());
    expect_load_error({"tokenizer.json: model: ", option.begin().key(), option.begin()->dump()});
  }
  for (const Json& part :
       {Json{{"post_processor", {{"type", "TemplateProcessing"}}}}, Json{{"decoder", {{"type", "Metaspace"}}}},
        Json{{"normalizer", {{"type", "Lowercase"}}}}, Json{{"pre_tokenizer", {{"type", "Metaspace"}}}}}) {
    Json tokenizer = original;
    tokenizer.update(part);
    write("tokenizer.json", tokenizer.dump());
    expect_load_error({"tokenizer.json", part.begin()->at("type").get<std::string>()});
  }
  Json tokenizer = original;
  tokenizer["normalizer"] = {{"type", "Sequence"}, {"normalizers", {{{"type", "NFC"}}}}};
  tokenizer["post_processor"] = nullptr;
  tokenizer["model"]["vocab"]["<|im_end|>"] = 260;
  write("tokenizer.json", tokenizer.dump());
  EXPECT_EQ(Tokenizer::load(folder_).encode("ab#c"), (Ids{256, 257}));
}

TEST_F(TokenizerTest, RejectsAnotherTokenizerForm) {
  keep_tokenizer_json_only();
  const Json original = read_json("tokenizer.json");
  Json tokenizer = original;
  tokenizer["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = "\\s+";
  write("tokenizer.json", tokenizer.dump());
  expect_load_error({"tokenizer.json", "pre-tokenizer"});
  tokenizer = original;
  tokenizer["pre_tokenizer"] = nullptr;
  write("tokenizer.json", tokenizer.dump());
  expect_load_error({"pre-tokenizer"});
  tokenizer = original;
  tokenizer["normalizer"] = nullptr;
  write("tokenizer.json", tokenizer.dump());
  expect_load_error({"NFC"});
  tokenizer = original;
  tokenizer["model"]["type"] = "Unigram";
  write("tokenizer.json", tokenizer.dump());
  expect_load_error({"BPE", "Unigram"});
}

TEST_F(TokenizerTest, NamesMissingFiles) {
  keep_tokenizer_json_only();
  std::filesystem::remove(folder_ / "tokenizer.json");
  expect_load_error({"vocab.json", "merges.txt", "tokenizer.json", "neither"});
  write("merges.txt", "");
  write("tokenizer.model", "");
  expect_load_error({"got only merges.txt, tokenizer.model"});
}

TEST_F(TokenizerTest, NamesTheLineOfBadJson) {
  write("vocab.json", "{\n\"a\": 1,\n\"b\" 2}\n");
  expect_load_error({"vocab.json line 3"});
}

TEST_F(TokenizerTest, RefusesNumbersAndNestsThatNoValueHolds) {
  write("vocab.json", R"({"a": 1e999})");
  expect_load_error({"vocab.json", "valid JSON", "1e999"});
  write("vocab.json", R"({"a": )" + std::string(100'000, '[') + std::string(100'000, ']') + "}");
  expect_load_error({"vocab.json", "valid JSON", "levels"});
}

TEST_F(TokenizerTest, NamesTheLineOfABadMerge) {
  write("merges.txt", "#version: 0.2\na b\na zz\n");
  expect_load_error({"merges.txt line 3", "zz"});
  write("merges.txt", "a b\n\na b c\n");
  expect_load_error({"merges.txt line 3", "a b c"});
  write("merges.txt", "a c\n");
  expect_load_error({"merges.txt line 1", "\"ac\""});
}

TEST_F(TokenizerTest, RejectsBadIds) {
  const Json original = read_json("vocab.json");
  Json vocabulary = original;
  vocabulary["zz"] = 3;
  write("vocab.json", vocabulary.dump());
  expect_load_error({"vocab.json", "id 3", "zz"});
  for (const Json& id : {Json(-1), Json("7"), Json(1.5), Json(9'000'000'000)}) {
    vocabulary["zz"] = id;
    write("vocab.json", vocabulary.dump());
    expect_load_error({"vocab.json", "zz", id.dump()});
  }
  vocabulary = original;
  vocabulary["zz"] = 2'000'000'000;
  write("vocab.json", vocabulary.dump());
  expect_load_error({"2000000000"});
  vocabulary = original;
  vocabulary.erase("Z");
  write("vocab.json", vocabulary.dump());
  expect_load_error({"byte 90"});
}

TEST_F(TokenizerTest, RejectsBadAddedTokens) {
  const Json original = read_json("tokenizer_config.json");
  Json config = original;
  config["added_tokens_decoder"]["3"] = {{"content", "<x>"}};
  write("tokenizer_config.json", config.dump());
  expect_load_error({"id 3", "<x>"});
  config = original;
  config["added_tokens_decoder"]["300"] = {{"content", "<|im_end|>"}};
  write("tokenizer_config.json", config.dump());
  expect_load_error({"<|im_end|>", "300"});
  config = original;
  config["added_tokens_decoder"]["300"] = {{"content", "<x>"}, {"lstrip", true}};
  write("tokenizer_config.json", config.dump());
  expect_load_error({"\"300\"", "lstrip"});
  config = original;
  config["added_tokens_decoder"].erase("261");
  write("tokenizer_config.json", config.dump());
  expect_load_error({"<|vision_start|>"});
}

}  // namespace
}  // namespace diptych
