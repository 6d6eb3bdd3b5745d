#pragma once
// A tiny model that mostly writes texts of one form, so that episodes can go on to paint, stop, or break off.

#include "diptych/tensor/torch.h"

#include "support/tiny_model.h"

namespace diptych {

inline const std::string kScriptedGoOn = "<think>a</think>b";
inline const std::string kScriptedStop = "<think>a</think>done";

/** Makes every sampled text kScriptedGoOn or kScriptedStop, half and half, but for slips: each token follows the script
 *  with odds of e^confidence against any other. The hidden state of a token of the script is a direction of its own, as
 *  its embedding outweighs what the layers add, and the head reads the next token off that direction. */
inline void script_texts(Bagel& model, const Tokenizer& tokenizer, double confidence) {
  at::NoGradGuard no_grad;
  const std::vector<int64_t> go_on = tokenizer.encode(kScriptedGoOn), stop = tokenizer.encode(kScriptedStop);
  TORCH_CHECK(go_on.size() == 5 && stop.size() == 5, "the tokenizer did not learn the script");
  std::vector<int64_t> before = {tokenizer.im_start()};
  before.insert(before.end(), go_on.begin(), go_on.end());
  const double width = std::sqrt(static_cast<double>(model.embed_tokens.size(1)));
  const auto follow = [&](int64_t state, int64_t token, int64_t next) {
    model.embed_tokens[token].zero_();
    model.embed_tokens[token][state] = 1000;
    model.lm_head.weight[next][state] = confidence / (width * model.decoder.und_norm.weight[state].item<double>());
  };
  model.lm_head.weight.narrow(1, 0, 7).zero_();
  for (size_t k = 0; k < 5; ++k) follow(static_cast<int64_t>(k), before[k], before[k + 1]);
  follow(4, go_on[3], stop[4]);
  follow(5, go_on[4], tokenizer.im_end());
  follow(6, stop[4], tokenizer.im_end());
}

/** A folder with such a model; 9 slips about once in six texts. */
inline ModelFolder make_scripted_model(const std::filesystem::path& folder, double confidence = 9) {
  ModelRecipe recipe = tiny_recipe();
  recipe.tokenizer_merges = 60;
  create_model_folder(folder, recipe, {kScriptedGoOn, kScriptedStop, kScriptedGoOn, kScriptedStop});
  ModelFolder made = load_model_folder(folder);
  stir_weights(made.model);
  script_texts(made.model, made.tokenizer, confidence);
  save_model_folder(folder, made.model, folder, /*compact=*/false);
  return load_model_folder(folder);
}

}  // namespace diptych
