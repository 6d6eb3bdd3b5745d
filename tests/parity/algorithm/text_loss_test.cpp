#include "diptych/algorithm/text_loss.h"

#include <algorithm>
#include <cstdio>

#include "diptych/tensor/autograd.h"
#include "diptych/tensor/load.h"
#include "support/compare.h"
#include "support/fixtures.h"

namespace diptych {
namespace {

constexpr Tolerance kTextFloat64{.normalised = 1e-10, .absolute = 1e-15};
// verl divides by the number of tokens plus 1e-8, which the README lists as an agreement limit.
constexpr Tolerance kVerl{.normalised = 1e-8, .absolute = 1e-15};

std::vector<int64_t> integers(const Tensor& values) {
  const Tensor flat = values.to(at::kLong).contiguous();
  return {flat.const_data_ptr<int64_t>(), flat.const_data_ptr<int64_t>() + flat.numel()};
}

/** The padded sequences of the fixture, packed by a mask, in float64. */
struct Packed {
  Tensor mask;
  std::vector<int64_t> lengths;
  Tensor logp_new, logp_old, logp_ref;
  Tensor advantage;           // [tokens]
  Tensor sequence_advantage;  // [sequences]

  Packed(const std::map<std::string, Tensor>& file, const Tensor& mask_of_tokens)
      : mask(mask_of_tokens.to(at::kBool)), lengths(integers(mask.sum(1))) {
    const auto pack = [&](const Tensor& padded) { return padded.to(at::kDouble).masked_select(mask); };
    logp_new = pack(file.at("logp_new")).requires_grad_();
    logp_old = pack(file.at("logp_old"));
    logp_ref = pack(file.at("logp_ref"));
    sequence_advantage = file.at("advantages").to(at::kDouble);
    advantage = sequence_advantage.unsqueeze(1).expand_as(mask).masked_select(mask);
  }

  int64_t sequences() const { return mask.size(0); }
  Tensor weights(TokenAggregation aggregation, int64_t sequences, double horizon = 1) const {
    return at::tensor(
        token_weights(lengths, aggregation, {.sequences = sequences, .tokens = logp_new.numel(), .horizon = horizon}),
        at::kDouble);
  }
  /** d loss / d logp_new, back in the padded shape. */
  Tensor padded_gradient(const Tensor& loss) const {
    const Tensor gradient = torch::autograd::grad({loss}, {logp_new})[0];
    return at::zeros(mask.sizes(), at::kDouble).masked_scatter(mask, gradient);
  }
};

struct TextLossParity : ::testing::Test {
  const std::map<std::string, Tensor> file = load_tensors(fixture_folder() / "algorithms" / "text_loss.safetensors");
  const Packed packed{file, file.at("mask")};

  /** Prefixes like "clip0.2_0.28" with their ranges. */
  std::map<std::string, ClipRange> clips(const std::string& kind) const {
    std::map<std::string, ClipRange> result;
    for (const auto& [key, tensor] : file) {
      ClipRange clip;
      int end = 0;
      if (std::sscanf(key.c_str(), (kind + "%lf_%lf%n").c_str(), &clip.low, &clip.high, &end) != 2) continue;
      result[key.substr(0, end)] = clip;
    }
    EXPECT_FALSE(result.empty());
    return result;
  }

  Tensor weights(const std::string& aggregation) const {
    const int64_t n = packed.sequences();
    if (aggregation == "seq-mean-token-mean") return packed.weights(TokenAggregation::sequence_mean, n);
    if (aggregation == "token-mean") return packed.weights(TokenAggregation::token_mean, n);
    if (aggregation == "seq-mean-token-sum") return packed.weights(TokenAggregation::sequence_normalised, n, 1);
    double horizon = static_cast<double>(packed.mask.size(1));
    const std::string prefix = "seq-mean-token-sum-norm";
    EXPECT_TRUE(aggregation.starts_with(prefix)) << aggregation;
    std::sscanf(aggregation.c_str(), (prefix + "-horizon%lf").c_str(), &horizon);
    return packed.weights(TokenAggregation::sequence_normalised, n, horizon);
  }

  void expect_loss(const std::string& prefix, const Tensor& loss, Tolerance tolerance) const {
    EXPECT_TRUE(close(loss, file.at(prefix + ".loss"), tolerance)) << prefix;
    EXPECT_TRUE(close(packed.padded_gradient(loss), file.at(prefix + ".grad_logp_new"), tolerance)) << prefix;
  }
};

TEST_F(TextLossParity, LengthsAndTokenRatios) {
  EXPECT_EQ(packed.lengths, integers(file.at("lengths")));
  const Tensor ratio = (packed.logp_new - packed.logp_old).exp().detach();
  EXPECT_TRUE(close(at::zeros(packed.mask.sizes(), at::kDouble).masked_scatter(packed.mask, ratio),
                    file.at("token_ratio"), kTextFloat64));
}

TEST_F(TextLossParity, EveryClipAndAggregation) {
  int losses = 0;
  for (const auto& [prefix, clip] : clips("clip")) {
    for (const auto& [key, expected] : file) {
      if (!key.starts_with(prefix + ".") || !key.ends_with(".loss") || key.find("dualclip") != std::string::npos)
        continue;
      const std::string name = key.substr(0, key.size() - 5);
      const Tensor weight = weights(name.substr(prefix.size() + 1));
      const PolicyLoss result = text_policy_loss(packed.logp_new, packed.logp_old, packed.advantage, weight, clip);
      expect_loss(name, result.loss, kVerl);
      const Tensor fractions = at::stack({result.ratios.fraction_above, result.ratios.fraction_below});
      EXPECT_TRUE(close(fractions, file.at(prefix + ".clipfrac_gt_lt"), kTextFloat64)) << name;
      ++losses;
    }
    const std::string dual = prefix + ".dualclip3.seq-mean-token-mean";
    if (file.contains(dual + ".loss")) {
      const Tensor loss =
          text_policy_loss(packed.logp_new, packed.logp_old, packed.advantage, weights("seq-mean-token-mean"), clip)
              .loss;
      EXPECT_FALSE(close(loss, file.at(dual + ".loss"), {.normalised = 1e-4})) << "dual clip is not a team form";
    }
  }
  EXPECT_GT(losses, 0);
}

TEST_F(TextLossParity, GspoElementByElement) {
  const Tensor log_ratio = sequence_log_ratio(packed.logp_new, packed.logp_old, packed.lengths);
  EXPECT_TRUE(close(log_ratio.exp(), file.at("gspo.seq_ratio"), kVerl));
  const Tensor mean = at::full({packed.sequences()}, 1.0 / static_cast<double>(packed.sequences()), at::kDouble);
  for (const auto& [prefix, clip] : clips("gspo")) {
    const auto loss_of = [&](const Tensor& weight) {
      return sequence_policy_loss(packed.logp_new, packed.logp_old, packed.lengths, packed.sequence_advantage, weight,
                                  clip)
          .loss;
    };
    const Tensor loss = loss_of(mean);
    expect_loss(prefix, loss, kVerl);
    for (int64_t i = 0; i < packed.sequences(); ++i) {
      Tensor only = at::zeros_like(mean);
      only[i] = 1;
      EXPECT_TRUE(close(loss_of(only), file.at(prefix + ".per_sequence")[i], kVerl)) << prefix << " sequence " << i;
    }
    const std::string quirk = prefix + ".broadcast_quirk";
    EXPECT_FALSE(close(loss, file.at(quirk + ".loss"), {.normalised = 1e-4})) << quirk;
    EXPECT_FALSE(close(packed.padded_gradient(loss_of(mean)), file.at(quirk + ".grad_logp_new"), {.normalised = 1e-4}))
        << quirk;
  }
}

TEST_F(TextLossParity, K3) {
  const auto k3 = [&] { return k3_divergence(packed.logp_new, packed.logp_ref); };
  EXPECT_TRUE(close(at::zeros(packed.mask.sizes(), at::kDouble).masked_scatter(packed.mask, k3().detach()),
                    file.at("k3.per_token"), kTextFloat64));
  for (const std::string aggregation : {"seq-mean-token-mean", "token-mean"})
    expect_loss("k3." + aggregation, (weights(aggregation) * k3()).sum(), kVerl);
  const Tensor ratio = sequence_log_ratio(packed.logp_new, packed.logp_old, packed.lengths).exp().detach();
  const Tensor token_ratio = ratio.unsqueeze(1).expand_as(packed.mask).masked_select(packed.mask);
  expect_loss("k3.alphagrpo_seq_weighted", (weights("seq-mean-token-mean") * token_ratio * k3()).sum(), kVerl);
}

TEST_F(TextLossParity, EmptySequencesCountOnlyIfTheCallerCountsThem) {
  const Packed some(file, file.at("empty.mask"));
  const auto filled =
      static_cast<int64_t>(std::count_if(some.lengths.begin(), some.lengths.end(), [](int64_t n) { return n > 0; }));
  ASSERT_LT(filled, some.sequences());
  const auto loss = [&](int64_t sequences) {
    return text_policy_loss(some.logp_new, some.logp_old, some.advantage,
                            some.weights(TokenAggregation::sequence_mean, sequences), {0.2, 0.2})
        .loss;
  };
  const std::string prefix = "empty.seq-mean-token-mean.loss_";
  EXPECT_TRUE(close(loss(filled), file.at(prefix + "exclude_empty"), kVerl));
  EXPECT_TRUE(close(loss(some.sequences()), file.at(prefix + "count_empty"), kVerl));
}

}  // namespace
}  // namespace diptych
