// The tokenizer against ids and texts of the official Python tokenizer (bagel_tiny/10_tokenizer.json).

#include "diptych/text/tokenizer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "diptych/io/files.h"
#include "support/fixtures.h"

namespace diptych {
namespace {

using Ids = std::vector<int64_t>;
using Json = nlohmann::json;
using std::filesystem::path;

path model_fixtures() {
  return fixture_folder() / "bagel_tiny";
}

const Json& fixture() {
  static const Json contents = Json::parse(read_file(model_fixtures() / "10_tokenizer.json"));
  return contents;
}

void expect_all_rows(const Tokenizer& tokenizer) {
  for (const Json& row : fixture()["rows"]) {
    const Ids ids = row["ids"].get<Ids>();
    EXPECT_EQ(tokenizer.encode(row["text"].get<std::string>()), ids) << row["category"] << " " << row["text"];
    EXPECT_EQ(tokenizer.decode(ids), row["decoded"].get<std::string>()) << row["category"] << " " << row["text"];
  }
  for (const Json& row : fixture()["decode_rows"]) {
    const Ids ids = row["ids"].get<Ids>();
    EXPECT_EQ(tokenizer.decode(ids), row["text"].get<std::string>()) << row["ids"];
    EXPECT_EQ(tokenizer.decode(ids, true), row["text_skip_special"].get<std::string>()) << row["ids"];
  }
}

TEST(TokenizerParity, AllRowsFromVocabularyAndMerges) {
  ASSERT_FALSE(fixture()["rows"].empty());
  ASSERT_FALSE(fixture()["decode_rows"].empty());
  expect_all_rows(Tokenizer::load(model_fixtures() / "checkpoint"));
}

TEST(TokenizerParity, AllRowsFromTokenizerJsonAlone) {
  const path folder = path(testing::TempDir()) / ("tokenizer_json_" + std::to_string(getpid()));
  make_folder(folder);
  write_file_atomic(folder / "tokenizer.json", read_file(model_fixtures() / "checkpoint" / "tokenizer.json"));
  expect_all_rows(Tokenizer::load(folder));
  std::filesystem::remove_all(folder);
}

TEST(TokenizerParity, SpecialTokensAndTextSegment) {
  const Tokenizer tokenizer = Tokenizer::load(model_fixtures() / "checkpoint");
  const Json& special = fixture()["special_ids"];
  EXPECT_EQ(tokenizer.im_start(), special["bos_token_id"].get<int64_t>());
  EXPECT_EQ(tokenizer.im_end(), special["eos_token_id"].get<int64_t>());
  EXPECT_EQ(tokenizer.vision_start(), special["start_of_image"].get<int64_t>());
  EXPECT_EQ(tokenizer.vision_end(), special["end_of_image"].get<int64_t>());
  EXPECT_EQ(tokenizer.endoftext(), fixture()["endoftext"].get<int64_t>());

  const Json& example = fixture()["text_segment_example"];
  Ids segment = tokenizer.encode(example["text"].get<std::string>());
  segment.insert(segment.begin(), tokenizer.im_start());
  segment.push_back(tokenizer.im_end());
  EXPECT_EQ(segment, example["ids"].get<Ids>());
}

}  // namespace
}  // namespace diptych
