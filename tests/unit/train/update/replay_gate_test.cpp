#include "diptych/tensor/torch.h"

#include "diptych/train/update/replay_gate.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"

namespace diptych {
namespace {

RatioStatistics ratios_up_to(double largest) {
  const Tensor zero = at::zeros({});
  return {1, zero, at::scalar_tensor(largest, at::kDouble), zero, zero};
}

/** Texts in |log ratio|, pictures in clips. */
TEST(FirstRatiosTest, GateAMeasuresEachTermInItsUnit) {
  LossOptions options;
  options.image_clip = {1e-4, 2e-4};
  LossReport report = empty_report();
  EXPECT_EQ(largest_ratios(report, options), (std::map<std::string, double>{{"image", 0}, {"text", 0}}));
  report.at("text").ratios = ratios_up_to(5e-5);
  report.at("image").ratios = ratios_up_to(8e-6);
  const std::map<std::string, double> first = largest_ratios(report, options);
  EXPECT_EQ(first.at("text"), 5e-5);
  EXPECT_DOUBLE_EQ(first.at("image"), 0.04);
  check_first_ratios(first);
  const auto expect_closed = [](double text, double image, const std::string& says) {
    expect_error(
        [&] {
          check_first_ratios({{"text", text}, {"image", image}});
        },
        ExitCode::numerics, {"gate A", "|log ratio| up to " + says});
  };
  expect_closed(2e-4, 0.04, "0.0002 for text and 0.04 clips for images");
  expect_closed(0, 0.06, "0 for text and 0.06 clips for images");
  expect_closed(std::nan(""), 0, "nan for text and 0 clips for images");
}

/** A loss that is not computed has no gate. */
TEST(FirstRatiosTest, GateAIsAboutReportedTerms) {
  LossReport report = empty_report();
  report.erase("image");
  EXPECT_EQ(largest_ratios(report, {}), (std::map<std::string, double>{{"text", 0}}));
  check_first_ratios({{"text", 0}});
  expect_error([] { check_first_ratios({{"text", 1}}); }, ExitCode::numerics, {"up to 1 for text"});
}

}  // namespace
}  // namespace diptych
