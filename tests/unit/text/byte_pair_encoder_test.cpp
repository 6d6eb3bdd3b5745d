#include "diptych/text/byte_pair_encoder.h"

#include <gtest/gtest.h>

#include <string>

namespace diptych {
namespace {

using Ids = std::vector<int64_t>;

/** Bytes are their own ids; merges from 256 upwards. */
BytePairEncoder make_encoder(const std::vector<MergeRule>& rules) {
  std::array<int64_t, 256> byte_ids{};
  for (std::size_t byte = 0; byte < 256; ++byte) byte_ids[byte] = static_cast<int64_t>(byte);
  return {byte_ids, rules};
}

Ids encode(const BytePairEncoder& encoder, std::string_view piece) {
  Ids ids;
  encoder.encode(piece, &ids);
  return ids;
}

TEST(BytePairEncoder, MergesTheLowestRankFirst) {
  const BytePairEncoder encoder = make_encoder({{'b', 'c', 256}, {'a', 'b', 257}, {'a', 256, 258}});
  EXPECT_EQ(encode(encoder, "abc"), (Ids{258}));
  EXPECT_EQ(encode(encoder, "ab"), (Ids{257}));
  EXPECT_EQ(encode(encoder, "abcab\xff"), (Ids{258, 257, 255}));
  EXPECT_EQ(encode(encoder, ""), Ids{});
}

TEST(BytePairEncoder, MergesOverlappingPairsFromTheLeft) {
  const BytePairEncoder encoder = make_encoder({{'a', 'a', 256}});
  EXPECT_EQ(encode(encoder, "aaa"), (Ids{256, 'a'}));
  EXPECT_EQ(encode(encoder, "aaaa"), (Ids{256, 256}));
}

TEST(BytePairEncoder, UsesTheLastOfRepeatedRules) {
  const BytePairEncoder encoder = make_encoder({{'a', 'b', 256}, {'b', 'c', 257}, {'a', 'b', 256}});
  EXPECT_EQ(encode(encoder, "abc"), (Ids{'a', 257}));
}

TEST(BytePairEncoder, HandlesAPieceOfAMegabyte) {
  const BytePairEncoder encoder = make_encoder({{'a', 'a', 256}, {256, 256, 257}, {257, 257, 258}});
  const Ids ids = encode(encoder, std::string((1 << 20) + 1, 'a'));
  ASSERT_EQ(ids.size(), (1U << 17) + 1);
  EXPECT_EQ(ids.front(), 258);
  EXPECT_EQ(ids.back(), 'a');
}

}  // namespace
}  // namespace diptych
