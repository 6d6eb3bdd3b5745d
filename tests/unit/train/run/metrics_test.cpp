#include "diptych/train/run/metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <exception>
#include <limits>
#include <nlohmann/json.hpp>

#include "diptych/io/files.h"
#include "support/temporary_folder.h"

namespace diptych {
namespace {

namespace fs = std::filesystem;

class MetricsTest : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  const fs::path& run_ = folder_.path();

  std::string rows() { return read_file(run_ / "metrics.jsonl"); }
};

MetricRow row_of(int64_t step) {
  return {{"reward/mean", std::sin(static_cast<double>(step))}, {"grad_norm/und", 1.0 / static_cast<double>(step)}};
}

void write_steps(Metrics& metrics, int64_t first, int64_t last) {
  for (int64_t step = first; step <= last; ++step) metrics.write(step, row_of(step));
}

TEST_F(MetricsTest, WritesOneSortedRowPerStep) {
  Metrics metrics(run_, -1);
  metrics.write(0, {{"z", 1}, {"a/b", 0.5}});
  metrics.write(3, {});
  EXPECT_EQ(rows(), "{\"a/b\":0.5,\"step\":0,\"z\":1.0}\n{\"step\":3}\n");
}

TEST_F(MetricsTest, ValuesSurviveExactly) {
  Metrics metrics(run_, -1);
  metrics.write(7, row_of(7));
  const nlohmann::json line = nlohmann::json::parse(rows());
  EXPECT_EQ(line.at("step"), 7);
  for (const auto& [name, value] : row_of(7)) EXPECT_EQ(line.at(name).get<double>(), value);
}

TEST_F(MetricsTest, NonFiniteValuesAreNull) {
  Metrics metrics(run_, -1);
  metrics.write(1, {{"inf", std::numeric_limits<double>::infinity()}, {"nan", std::nan("")}});
  EXPECT_EQ(rows(), "{\"inf\":null,\"nan\":null,\"step\":1}\n");
}

TEST_F(MetricsTest, ResumeGivesTheSameBytesAsAnUninterruptedRun) {
  {
    Metrics straight(run_, -1);
    write_steps(straight, 1, 10);
  }
  const std::string expected = rows();
  {
    Metrics restarted(run_, -1);  // from scratch
    write_steps(restarted, 1, 8);
  }
  {
    Metrics resumed(run_, 5);
    EXPECT_LT(rows().size(), expected.size());
    write_steps(resumed, 6, 10);
  }
  EXPECT_EQ(rows(), expected);
}

TEST_F(MetricsTest, RefusesStepsThatDoNotRise) {
  {
    Metrics metrics(run_, -1);
    EXPECT_EQ(metrics.last_step(), -1);
    write_steps(metrics, 1, 5);
    EXPECT_EQ(metrics.last_step(), 5);
  }
  Metrics metrics(run_, 5);
  EXPECT_THROW(metrics.write(5, {}), std::exception);
  metrics.write(6, {});
  EXPECT_THROW(metrics.write(6, {}), std::exception);
  EXPECT_THROW(metrics.write(7, {{"step", 1}}), std::exception);
}

/** A kill came between a checkpoint and the row of its step. */
TEST_F(MetricsTest, ARowThatIsMissingCanStillBeWritten) {
  {
    Metrics metrics(run_, -1);
    write_steps(metrics, 1, 4);
  }
  Metrics metrics(run_, 5);
  EXPECT_EQ(metrics.last_step(), 4);
  metrics.write(5, {});
}

TEST_F(MetricsTest, TensorBoardHoldsEveryName) {
  Metrics metrics(run_, -1);
  metrics.write(1, row_of(1));
  std::string events;
  for (const fs::directory_entry& entry : fs::directory_iterator(run_ / "tensorboard")) events += read_file(entry);
  for (const auto& [name, value] : row_of(1)) EXPECT_NE(events.find(name), std::string::npos) << name;
}

}  // namespace
}  // namespace diptych
