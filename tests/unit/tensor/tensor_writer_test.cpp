#include "diptych/tensor/torch.h"

#include "diptych/tensor/tensor_writer.h"

#include <gtest/gtest.h>

#include "diptych/io/files.h"
#include "diptych/tensor/load.h"
#include "support/compare.h"
#include "support/temporary_folder.h"

namespace diptych {
namespace {

class TensorWriterTest : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_.path() / "planned.safetensors";
  const Tensor numbers_ = at::arange(6, at::kFloat).view({2, 3});
};

TEST_F(TensorWriterTest, WritesTheBytesOfSaveTensors) {
  save_tensors(folder_.path() / "whole", {{"b", numbers_.to(at::kBFloat16)}, {"a", numbers_.t()}}, {{"format", "pt"}});
  const std::vector<PlannedTensor> planned = {{"b", at::kBFloat16, {2, 3}, [&] { return numbers_; }},
                                              {"a", at::kFloat, {3, 2}, [&] { return numbers_.t(); }}};
  write_tensors(path_, planned, {{"format", "pt"}});
  EXPECT_EQ(read_file(path_), read_file(folder_.path() / "whole"));
  EXPECT_EQ(planned_bytes(planned), 6u * 2 + 6u * 4);
}

TEST_F(TensorWriterTest, MakesATensorWhenTheOneBeforeIsGone) {
  int alive = 0, most = 0;
  const auto make = [&] {
    most = std::max(most, ++alive);
    std::shared_ptr<float[]> memory(new float[4](), [&](float* values) {
      delete[] values;
      --alive;
    });
    return at::from_blob(
        memory.get(), {4}, [memory](void*) {}, at::kFloat);
  };
  write_tensors(path_, {{"a", at::kFloat, {4}, make}, {"b", at::kBFloat16, {4}, make}, {"c", at::kFloat, {4}, make}});
  EXPECT_EQ(most, 1);
  EXPECT_EQ(load_tensors(path_).size(), 3u);
}

TEST_F(TensorWriterTest, AFailureLeavesNoFile) {
  EXPECT_ANY_THROW(write_tensors(path_, {{"a", at::kFloat, {3}, [&] { return numbers_; }}}));
  EXPECT_ANY_THROW(write_tensors(path_, {{"a", at::kFloat, {3}, []() -> Tensor { throw std::runtime_error("x"); }}}));
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

}  // namespace
}  // namespace diptych
