#include "diptych/io/safetensors_writer.h"

#include <gtest/gtest.h>

#include "diptych/io/disk_space.h"
#include "diptych/io/files.h"
#include "diptych/io/safetensors.h"
#include "support/bytes_of.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace diptych {
namespace {

class SafetensorsWriterTest : public ::testing::Test {
 protected:
  /** How many files the folder holds, temporary ones included. */
  int64_t file_count() const {
    return std::distance(std::filesystem::directory_iterator(folder_.path()), std::filesystem::directory_iterator());
  }

  TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_.path() / "weights.safetensors";
  const std::vector<TensorHeader> headers_ = {{"z", "U8", {2, 3}}, {"empty", "F32", {0, 4}}, {"a", "BF16", {2}}};
};

TEST_F(SafetensorsWriterTest, WritesTheSameBytesAsTheWholeFileAtOnce) {
  const std::string six = "abcdef", four = "0123";
  write_safetensors(
      folder_.path() / "whole",
      {{"z", "U8", {2, 3}, bytes_of(six)}, {"empty", "F32", {0, 4}, {}}, {"a", "BF16", {2}, bytes_of(four)}},
      {{"format", "pt"}});
  SafetensorsWriter writer(path_, headers_, {{"format", "pt"}});
  for (const std::string& bytes : {six, std::string(), four}) writer.write(bytes_of(bytes));
  EXPECT_FALSE(std::filesystem::exists(path_));
  writer.commit();
  EXPECT_EQ(read_file(path_), read_file(folder_.path() / "whole"));
  EXPECT_EQ(file_count(), 2);
}

TEST_F(SafetensorsWriterTest, NothingStaysOfAFileThatIsNotCommitted) {
  write_file_atomic(path_, "before");
  { SafetensorsWriter(path_, headers_).write(bytes_of("abcdef")); }
  EXPECT_EQ(read_file(path_), "before");
  EXPECT_EQ(file_count(), 1);
}

TEST_F(SafetensorsWriterTest, BytesMustBeThoseOfTheHeader) {
  SafetensorsWriter writer(path_, headers_);
  const auto expect_refused = [](const auto& call, const std::vector<std::string>& parts) {
    expect_error(call, ExitCode::internal, parts);
  };
  expect_refused([&] { writer.write(bytes_of("abcde")); }, {"tensor 'z'", "U8 [2, 3] with 5 bytes"});
  writer.write(bytes_of("abcdef"));
  writer.write({});
  expect_refused([&] { writer.commit(); }, {"3 tensors", "got 2"});
  writer.write(bytes_of("0123"));
  expect_refused([&] { writer.write({}); }, {"3 tensors", "one more"});
  expect_refused([&] { SafetensorsWriter(path_, {{"a", "F31", {1}}}); }, {"tensor 'a'", "F31"});
  expect_refused([&] { SafetensorsWriter(path_, {{"a", "U8", {1}}, {"a", "U8", {1}}}); }, {"tensor 'a'", "taken"});
}

TEST_F(SafetensorsWriterTest, NamesComeInTheOrderOfTheirBytes) {
  SafetensorsWriter writer(path_, {{"b", "U8", {4}}, {"c", "U8", {2}}, {"a", "U8", {1}}});
  for (const std::string bytes : {"wxyz", "uv", "t"}) writer.write(bytes_of(bytes));
  writer.commit();
  const SafetensorsFile file = SafetensorsFile::open(path_);
  EXPECT_EQ(file.names_in_file_order(), (std::vector<std::string>{"b", "c", "a"}));
}

TEST_F(SafetensorsWriterTest, ReleasedBytesCanBeReadAgain) {
  const std::string contents(100'000, 'x');
  write_safetensors(path_, {{"a", "U8", {5}, bytes_of("first")}, {"b", "U8", {100'000}, bytes_of(contents)}});
  const SafetensorsFile file = SafetensorsFile::open(path_);
  for (const auto& [name, tensor] : file.tensors()) file.release(tensor);
  const std::span<const std::byte> bytes = file.tensors().at("b").bytes;
  EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), bytes_of(contents).begin()));
}

TEST_F(SafetensorsWriterTest, FullDisksAreNoticedBeforehand) {
  require_disk_space(folder_.path(), 1);
  expect_error([&] { require_disk_space(folder_.path(), uint64_t{1} << 62); }, ExitCode::io,
               {folder_.path().string(), "4611686018.43 GB of free disk space", "another one"});
}

}  // namespace
}  // namespace diptych
