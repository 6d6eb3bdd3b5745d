#include "diptych/tensor/load.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>

#include "diptych/base/error.h"
#include "support/compare.h"

namespace diptych {
namespace {

namespace fs = std::filesystem;

class LoadTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / ::testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path folder_;
};

TEST_F(LoadTest, EveryDtypeComesBackWithItsBits) {
  const Tensor numbers = at::arange(6, at::kDouble).sub(2.5).view({2, 3});
  std::vector<NamedTensor> tensors;
  for (const at::ScalarType type : {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kLong, at::kInt, at::kBool})
    tensors.push_back({at::toString(type), numbers.to(type)});
  tensors.push_back({"Byte", numbers.abs().to(at::kByte)});
  save_tensors(folder_ / "all.safetensors", tensors);
  const std::map<std::string, Tensor> loaded = load_tensors(folder_ / "all.safetensors");
  ASSERT_EQ(loaded.size(), tensors.size());
  for (const auto& [name, tensor] : tensors) EXPECT_TRUE(same_bits(loaded.at(name), tensor)) << name;
}

TEST_F(LoadTest, TransposedScalarAndEmptyTensorsAreStoredInRowOrder) {
  const Tensor transposed = at::arange(6, at::kFloat).view({2, 3}).t();
  save_tensors(folder_ / "odd.safetensors",
               {{"transposed", transposed}, {"scalar", at::scalar_tensor(2.5)}, {"empty", at::empty({0, 4})}});
  const std::map<std::string, Tensor> loaded = load_tensors(folder_ / "odd.safetensors");
  EXPECT_TRUE(same_bits(loaded.at("transposed"), transposed.contiguous()));
  EXPECT_TRUE(same_bits(loaded.at("scalar"), at::scalar_tensor(2.5)));
  EXPECT_EQ(loaded.at("empty").sizes(), at::IntArrayRef({0, 4}));
}

TEST_F(LoadTest, MetadataIsKept) {
  save_tensors(folder_ / "m.safetensors", {{"a", at::ones({1})}}, {{"format", "diptych"}});
  EXPECT_EQ(SafetensorsFile::open(folder_ / "m.safetensors").metadata().at("format"), "diptych");
}

TEST_F(LoadTest, PartsFormOneSet) {
  save_tensors(folder_ / "before.0.safetensors", {{"a", at::ones({1})}});
  save_tensors(folder_ / "before.1.safetensors", {{"b", at::ones({2})}});
  save_tensors(folder_ / "behind.safetensors.0", {{"a", at::ones({1})}});
  save_tensors(folder_ / "behind.safetensors.1", {{"b", at::ones({2})}});
  for (const char* name : {"before.safetensors", "behind.safetensors"}) {
    const std::map<std::string, Tensor> loaded = load_tensors(folder_ / name);
    ASSERT_EQ(loaded.size(), 2U) << name;
    EXPECT_EQ(loaded.at("b").numel(), 2) << name;
  }
}

TEST_F(LoadTest, MissingFileAndRepeatedNameAreModelErrors) {
  try {
    load_tensors(folder_ / "none.safetensors");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::model);
    EXPECT_NE(std::string(error.what()).find("none.safetensors"), std::string::npos);
  }
  save_tensors(folder_ / "twice.0.safetensors", {{"same", at::ones({1})}});
  save_tensors(folder_ / "twice.1.safetensors", {{"same", at::ones({1})}});
  EXPECT_THROW(load_tensors(folder_ / "twice.safetensors"), Error);
}

TEST_F(LoadTest, BooleansAreZeroOrOne) {
  const std::array<std::byte, 2> bytes = {std::byte{1}, std::byte{2}};
  EXPECT_TRUE(to_tensor({.dtype = "BOOL", .shape = {1}, .bytes = std::span(bytes).first(1)}).item<bool>());
  EXPECT_THROW(to_tensor({.dtype = "BOOL", .shape = {2}, .bytes = bytes}), Error);
}

TEST_F(LoadTest, ConvertsInMemoryOfItsOwn) {
  const Tensor numbers = at::arange(6, at::kFloat).sub(2.5).view({2, 3});
  save_tensors(folder_ / "m.safetensors", {{"a", numbers}});
  const SafetensorsFile file = SafetensorsFile::open(folder_ / "m.safetensors");
  const StoredTensor& stored = file.tensors().at("a");
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kDouble}) {
    const Tensor loaded = to_tensor(stored, type, at::kCPU);
    EXPECT_TRUE(same_bits(loaded, numbers.to(type)));
    EXPECT_NE(loaded.const_data_ptr(), static_cast<const void*>(stored.bytes.data()));
  }
}

TEST_F(LoadTest, MappedTensorsOutliveTheirFile) {
  const Tensor numbers = at::arange(6, at::kFloat).view({2, 3});
  save_tensors(folder_ / "x.safetensors", {{"a", numbers}, {"flags", numbers > 2}, {"empty", at::empty({0, 4})}});
  const std::map<std::string, Tensor> mapped = map_tensors(folder_ / "x.safetensors");
  fs::remove(folder_ / "x.safetensors");
  EXPECT_TRUE(same_bits(mapped.at("a"), numbers));
  EXPECT_TRUE(same_bits(mapped.at("flags"), numbers > 2));
  EXPECT_EQ(mapped.at("empty").sizes(), at::IntArrayRef({0, 4}));
  EXPECT_THROW(map_tensors(folder_ / "x.safetensors"), Error);
}

// A header of odd length puts every tensor behind it at an odd offset.
TEST_F(LoadTest, TensorsAtOddOffsetsAreRead) {
  for (const at::ScalarType type : {at::kBFloat16, at::kFloat, at::kDouble, at::kLong}) {
    const Tensor numbers = at::arange(-3, 4, at::kDouble).to(type);
    std::vector<std::byte> bytes(numbers.nbytes() + 1);
    std::memcpy(bytes.data() + 1, numbers.const_data_ptr(), numbers.nbytes());
    const StoredTensor stored = {.dtype = dtype_of(type), .shape = {7}, .bytes = std::span(bytes).subspan(1)};
    EXPECT_TRUE(same_bits(to_tensor(stored, type, at::kCPU), numbers)) << type;
    EXPECT_TRUE(same_bits(to_tensor(stored, at::kFloat, at::kCPU), numbers.to(at::kFloat))) << type;
  }
}

TEST_F(LoadTest, UnknownDtypeIsAModelError) {
  EXPECT_THROW(to_tensor({.dtype = "F8_E4M3", .shape = {0}, .bytes = {}}), Error);
}

}  // namespace
}  // namespace diptych
