#include "diptych/io/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "diptych/io/files.h"
#include "support/bytes_of.h"
#include "support/expect_error.h"
#include "support/fixtures.h"
#include "support/temporary_folder.h"

namespace diptych {
namespace {

std::string little_endian(uint64_t value) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &value, 8);
  return bytes;
}

class Safetensors : public ::testing::Test {
 protected:
  SafetensorsFile open(const std::string& contents) {
    std::ofstream(path_, std::ios::binary) << contents;
    return SafetensorsFile::open(path_);
  }
  SafetensorsFile open(const std::string& header, size_t data_bytes) {
    return open(little_endian(header.size()) + header + std::string(data_bytes, 'd'));
  }
  void expect_failure(const std::string& header, size_t data_bytes, const std::vector<std::string>& parts) {
    expect_error([&] { open(header, data_bytes); }, ExitCode::model, parts);
  }
  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "weights.safetensors";
};

TEST_F(Safetensors, WritesAndReadsBack) {
  const std::string six = "abcdef";
  const std::string sixteen = "0123456789abcdef";
  write_safetensors(path_,
                    {{"z", "U8", {2, 3}, bytes_of(six)},
                     {"empty", "F32", {0, 4}, {}},
                     {"scalar", "I64", {}, bytes_of(sixteen).first(8)},
                     {"a \"b\"", "F32", {2, 2}, bytes_of(sixteen)}},
                    {{"format", "pt"}, {"note", "ä\n"}});
  const SafetensorsFile file = SafetensorsFile::open(path_);
  ASSERT_EQ(file.tensors().size(), 4u);
  EXPECT_EQ(file.metadata(), (std::map<std::string, std::string>{{"format", "pt"}, {"note", "ä\n"}}));
  const StoredTensor& first = file.tensors().at("z");
  EXPECT_EQ(first.dtype, "U8");
  EXPECT_EQ(first.shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(std::memcmp(first.bytes.data(), six.data(), 6), 0);
  EXPECT_TRUE(file.tensors().at("scalar").shape.empty());
  EXPECT_EQ(file.tensors().at("scalar").bytes.size(), 8u);
  EXPECT_TRUE(file.tensors().at("empty").bytes.empty());
  EXPECT_EQ(std::memcmp(file.tensors().at("a \"b\"").bytes.data(), sixteen.data(), 16), 0);
  // Given order and 8-byte aligned data.
  const std::string contents = read_file(path_);
  uint64_t length = 0;
  std::memcpy(&length, contents.data(), 8);
  EXPECT_EQ(length % 8, 0u);
  EXPECT_EQ(contents.substr(8 + length), six + sixteen.substr(0, 8) + sixteen);
}

TEST_F(Safetensors, ViewsOutliveTheFileObject) {
  write_safetensors(path_, {{"a", "U8", {4}, bytes_of("wxyz")}});
  const auto copy = std::make_unique<SafetensorsFile>(SafetensorsFile::open(path_));
  const SafetensorsFile kept = *copy;
  std::filesystem::remove(path_);
  EXPECT_EQ(std::memcmp(kept.tensors().at("a").bytes.data(), "wxyz", 4), 0);
}

TEST_F(Safetensors, EmptyFileOfTensors) {
  EXPECT_TRUE(open("{}", 0).tensors().empty());
  EXPECT_EQ(open("{}   ", 0).metadata().size(), 0u);
}

TEST_F(Safetensors, WriterRejectsWrongInput) {
  const auto write = [&](const std::vector<TensorToStore>& tensors) {
    expect_error([&] { write_safetensors(path_, tensors); }, ExitCode::internal, {"weights.safetensors"});
  };
  write({{"a", "F32", {2}, bytes_of("1234")}});
  write({{"a", "F31", {1}, bytes_of("1234")}});
  write({{"a", "U8", {4}, bytes_of("1234")}, {"a", "U8", {4}, bytes_of("1234")}});
  write({{"__metadata__", "U8", {4}, bytes_of("1234")}});
  EXPECT_FALSE(std::filesystem::exists(path_));
  expect_error([&] { write_safetensors(folder_.path() / "no" / "a", {}); }, ExitCode::io, {"no/a"});
}

TEST_F(Safetensors, MissingOrShortFile) {
  expect_error([&] { SafetensorsFile::open(folder_.path() / "none"); }, ExitCode::model, {"none", "hint"});
  expect_error([&] { SafetensorsFile::open(folder_.path()); }, ExitCode::model, {"not a file"});
  expect_error([&] { open(""); }, ExitCode::model, {"0 bytes"});
  expect_error([&] { open("1234567"); }, ExitCode::model, {"7 bytes"});
}

TEST_F(Safetensors, HeaderLengthIsChecked) {
  expect_error([&] { open(little_endian(3) + "{}"); }, ExitCode::model, {"header of 3 bytes"});
  expect_error([&] { open(little_endian(UINT64_MAX) + "{}"); }, ExitCode::model, {"header of 18446744073709551615"});
  std::ofstream(path_, std::ios::binary) << little_endian(100'000'001);
  std::filesystem::resize_file(path_, 200'000'000);
  expect_error([&] { SafetensorsFile::open(path_); }, ExitCode::model, {"100 MB"});
}

TEST_F(Safetensors, FilesOfAnotherKindAreNamed) {
  const auto expect_kind = [&](const std::string& contents, const std::vector<std::string>& parts) {
    expect_error([&] { open(contents); }, ExitCode::model, parts);
  };
  expect_kind("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
              {"a Git LFS pointer", "git lfs pull"});
  expect_kind("<!DOCTYPE html>\n<html>", {"expected a safetensors file, got a text file"});
  expect_kind("\x89PNG\r\n\x1a\n\x01\x02\x03", {"a PNG image"});
  expect_kind("PK\x03\x04\x08\x08\x08\x08\x01\x02", {"a ZIP archive"});
  expect_kind("\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8\xf7\xf6", {"a file of another kind"});
}

TEST_F(Safetensors, HeaderJsonIsChecked) {
  expect_failure("", 0, {"JSON"});
  expect_failure("{\"a\":", 0, {"JSON"});
  expect_failure("{} x", 0, {"JSON"});
  expect_failure("\"\xff\"", 0, {"JSON"});
  expect_failure("[]", 0, {"JSON object", "array"});
  expect_failure("{\"a\": 3}", 0, {"tensor 'a'", "number"});
  expect_failure(std::string(100000, '['), 0, {"nesting"});
  expect_failure(R"({"__metadata__": {"a": 1}})", 0, {"__metadata__", "'a'"});
  expect_failure(R"({"__metadata__": "a"})", 0, {"__metadata__"});
  const std::string entry = R"({"dtype":"U8","shape":[1],"data_offsets":[0,1]})";
  expect_failure("{\"a\":" + entry + ",\"a\":" + entry + "}", 1, {"'a' twice"});
  expect_failure(R"({"a":{"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]}})", 1, {"'shape' twice"});
}

TEST_F(Safetensors, EntriesAreChecked) {
  const auto entry = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return "{\"t\":{\"dtype\":" + dtype + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}}";
  };
  EXPECT_EQ(open(entry("\"U8\"", "[4]", "[0,4]"), 4).tensors().size(), 1u);
  expect_failure(entry("8", "[1]", "[0,4]"), 4, {"a dtype"});
  expect_failure(R"({"t":{"shape":[1],"data_offsets":[0,4]}})", 4, {"a dtype"});
  expect_failure(R"({"t":{"dtype":"F32","data_offsets":[0,4]}})", 4, {"a shape", "none"});
  expect_failure(R"({"t":{"dtype":"F32","shape":[1]}})", 4, {"data_offsets", "none"});
  for (const char* shape : {"[-1]", "[1.5]", "[\"1\"]", "4", "[9223372036854775808]", "[[1]]", "null"})
    expect_failure(entry("\"F32\"", shape, "[0,4]"), 4, {"tensor 't'", "a shape", shape});
  for (const char* offsets : {"[4,0]", "[0]", "[0,4,8]", "[-4,0]", "[0,4.0]", "[0,18446744073709551616]", "\"0,4\""})
    expect_failure(entry("\"F32\"", "[1]", offsets), 4, {"tensor 't'", "data_offsets"});
  expect_failure(entry("\"F32\"", "[2]", "[0,8]"), 4, {"inside the 4 bytes"});
  expect_failure(entry("\"F32\"", "[2]", "[0,4]"), 4, {"F32 [2] in 8 bytes", "4 bytes"});
  expect_failure(entry("\"F32\"", "[]", "[0,0]"), 0, {"in 4 bytes", "0 bytes"});
  // Products that wrap round 2^64 to the stored size.
  expect_failure(entry("\"U8\"", "[4294967296,4294967296]", "[0,0]"), 0, {"at most 2^60"});
  expect_failure(entry("\"F64\"", "[2305843009213693952]", "[0,0]"), 0, {"at most 2^60"});
  expect_failure(entry("\"U8\"", "[0,4294967296,4294967296]", "[0,0]"), 0, {"at most 2^60"});
}

// What one reader cannot compute with is no fault of the file: others list it.
TEST_F(Safetensors, DtypesThatNoOneKnowsAreHandedOut) {
  const auto entry = [](const std::string& dtype, const std::string& shape, int bytes) {
    return "{\"t\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":[0," + std::to_string(bytes) +
           "]}}";
  };
  const auto bytes_of = [&](const std::string& dtype, const std::string& shape, int bytes) {
    const SafetensorsFile file = open(entry(dtype, shape, bytes), static_cast<size_t>(bytes));
    EXPECT_EQ(file.tensors().at("t").dtype, dtype);
    return file.tensors().at("t").bytes.size();
  };
  EXPECT_EQ(bytes_of("F4", "[2,3]", 3), 3u);
  EXPECT_EQ(bytes_of("F6_E2M3", "[4]", 3), 3u);
  EXPECT_EQ(bytes_of("F6_E3M2", "[8]", 6), 6u);
  EXPECT_EQ(bytes_of("F8_E8M0", "[4]", 4), 4u);
  EXPECT_EQ(bytes_of("U4", "[4]", 2), 2u);  // in no version of the format yet
  EXPECT_EQ(bytes_of("F31", "[]", 4), 4u);
  expect_failure(entry("F4", "[3]", 2), 2, {"F4 [3] in 1.5 bytes", "2 bytes"});
  expect_failure(entry("F8_E8M0", "[4]", 3), 3, {"F8_E8M0 [4] in 4 bytes", "3 bytes"});
  expect_failure(entry("U4", "[4294967296,4294967296]", 2), 2, {"at most 2^60"});
}

TEST_F(Safetensors, LayoutIsChecked) {
  const auto two = [](const std::string& first, const std::string& second) {
    return R"({"a":{"dtype":"U8","shape":[4],"data_offsets":)" + first +
           R"(},"b":{"dtype":"U8","shape":[4],"data_offsets":)" + second + "}}";
  };
  EXPECT_EQ(open(two("[4,8]", "[0,4]"), 8).tensors().size(), 2u);
  expect_failure(two("[0,4]", "[2,6]"), 6, {"tensor 'b'", "overlap"});
  expect_failure(two("[0,4]", "[0,4]"), 4, {"tensor 'b'", "overlap"});
  expect_failure(two("[0,4]", "[5,9]"), 9, {"tensor 'b'", "hole"});
  expect_failure(two("[1,5]", "[5,9]"), 9, {"tensor 'a'", "hole"});
  expect_failure(two("[0,4]", "[4,8]"), 9, {"8 bytes of data", "9 bytes"});
  expect_failure(two("[0,4]", "[4,8]"), 7, {"tensor 'b'", "inside the 7 bytes"});
}

// Any truncation of a real file must be an error, never a crash.
TEST_F(Safetensors, EveryTruncationIsNoticed) {
  write_safetensors(path_, {{"a", "U8", {4}, bytes_of("wxyz")}, {"b", "F32", {2}, bytes_of("12345678")}});
  const std::string contents = read_file(path_);
  for (size_t size = 0; size < contents.size(); ++size)
    expect_error([&] { open(contents.substr(0, size)); }, ExitCode::model, {"weights.safetensors"});
}

// Any single damaged byte gives a valid file or an Error.
TEST_F(Safetensors, DamagedBytesNeverCrash) {
  write_safetensors(path_, {{"a", "U8", {4}, bytes_of("wxyz")}, {"b", "F32", {2}, bytes_of("12345678")}});
  const std::string contents = read_file(path_);
  int errors = 0;
  for (size_t place = 0; place < contents.size(); ++place) {
    for (const char change : {'\x01', '\x10', '\x80'}) {
      std::string damaged = contents;
      damaged[place] = char(damaged[place] ^ change);
      try {
        size_t total = 0;
        const SafetensorsFile file = open(damaged);
        for (const auto& [name, tensor] : file.tensors()) total += tensor.bytes.size();
        EXPECT_EQ(total, 12u);
      } catch (const Error&) {
        ++errors;
      }
    }
  }
  EXPECT_GT(errors, 100);
}

TEST_F(Safetensors, ReadsTheFixtures) {
  int files = 0;
  for (const auto& item : std::filesystem::recursive_directory_iterator(fixture_folder())) {
    if (item.path().extension() != ".safetensors") continue;
    EXPECT_FALSE(SafetensorsFile::open(item.path()).tensors().empty()) << item.path();
    ++files;
  }
  EXPECT_GT(files, 0);
}

}  // namespace
}  // namespace diptych
