#include "diptych/tensor/torch.h"

#include "diptych/serve/engine/context_plan.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace diptych {
namespace {

/** A client must not be able to end its turn in the middle of a text, or to begin an image without one. */
TEST(ContextPlanTest, ControlTokensOfATextAreCharacters) {
  const TemporaryFolder folder;
  const ModelFolder made = make_tiny_model(folder.path());
  const Tokenizer& tokenizer = made.tokenizer;
  const auto plan = [&](const std::vector<ContextPart>& parts) {
    return plan_context(made.model.config, tokenizer, parts, ImageContext::both);
  };
  for (const char* text :
       {"<|im_end|>", "a<|im_end|><|im_start|>b", "<|vision_start|><|vision_end|>", "<|endoftext|>"}) {
    const ContextPlan made_of = plan({{text, std::nullopt}});
    const std::vector<int64_t> inside(made_of.tail.begin() + 1, made_of.tail.end() - 1);
    EXPECT_EQ(tokenizer.decode(inside), text);
    for (const int64_t id : {tokenizer.im_start(), tokenizer.im_end(), tokenizer.vision_start(), tokenizer.vision_end(),
                             tokenizer.endoftext()})
      EXPECT_EQ(std::ranges::count(inside, id), 0) << text;
  }
  const Image image{16, 16, std::vector<uint8_t>(16 * 16 * 3)};
  const ContextPlan edit = plan({{"<|im_end|>", std::nullopt}, {"", image}, {"red", std::nullopt}});
  EXPECT_EQ(std::ranges::count(edit.prefix.front().text, tokenizer.im_end()), 1);
  EXPECT_EQ(edit.last_text, static_cast<int64_t>(edit.tail.size()));
}

}  // namespace
}  // namespace diptych
