#include "diptych/io/tensorboard.h"

#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <map>
#include <vector>

#include "diptych/io/files.h"
#include "diptych/io/image/image.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace diptych {
namespace {

template <class Number>
Number number_at(const std::string& bytes, size_t place) {
  Number number;
  std::memcpy(&number, bytes.data() + place, sizeof number);
  return number;
}

uint32_t masked(const std::string& bytes) {
  return std::rotr(crc32c(bytes), 15) + 0xa282ead8u;
}

/** The payloads of a TFRecord file, with all checksums checked. */
std::vector<std::string> records(const std::filesystem::path& path) {
  const std::string contents = read_file(path);
  std::vector<std::string> payloads;
  for (size_t place = 0; place < contents.size();) {
    const auto length = number_at<uint64_t>(contents, place);
    EXPECT_EQ(number_at<uint32_t>(contents, place + 8), masked(contents.substr(place, 8)));
    payloads.push_back(contents.substr(place + 12, length));
    EXPECT_EQ(number_at<uint32_t>(contents, place + 12 + length), masked(payloads.back()));
    place += 16 + length;
  }
  return payloads;
}

/** Fields of a protobuf message by number: integers as text, everything else as its bytes. */
std::map<uint64_t, std::string> fields(const std::string& message) {
  std::map<uint64_t, std::string> result;
  size_t place = 0;
  const auto varint = [&] {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = uint8_t(message.at(place++));
      value |= uint64_t(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (place < message.size()) {
    const uint64_t key = varint();
    if ((key & 7) == 0) {
      result[key >> 3] = std::to_string(int64_t(varint()));
      continue;
    }
    const size_t size = (key & 7) == 1 ? 8 : (key & 7) == 5 ? 4 : varint();
    result[key >> 3] = message.substr(place, size);
    place += size;
  }
  return result;
}

// RFC 3720, appendix B.4.
TEST(TensorBoard, Crc32cKnownAnswers) {
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
}

TEST(TensorBoard, WritesEventsThatDecode) {
  const TemporaryFolder folder;
  TensorBoardWriter writer(folder.path() / "events");
  const auto png = encode_png(Image{2, 3, std::vector<uint8_t>(18, 7)});
  writer.scalar("loss/text", 300, 0.25);
  writer.text("sample", 0, std::string(200, 'x'));
  writer.image("grid", -1, 2, 3, png);
  writer.flush();
  EXPECT_NE(writer.path().filename().string().find("tfevents"), std::string::npos);

  auto events = records(writer.path());
  ASSERT_EQ(events.size(), 5u);
  EXPECT_EQ(fields(events[0]).at(3), "brain.Event:2");
  EXPECT_GT(number_at<double>(fields(events[0]).at(1), 0), 1.6e9);
  events.erase(events.begin() + 1);  // the session start
  const auto value_of = [&](size_t event) { return fields(fields(fields(events[event]).at(5)).at(1)); };

  EXPECT_EQ(fields(events[1]).at(2), "300");
  auto scalar = value_of(1);
  EXPECT_EQ(scalar.at(1), "loss/text");
  EXPECT_EQ(number_at<float>(scalar.at(2), 0), 0.25f);

  auto text = value_of(2);
  EXPECT_EQ(text.at(1), "sample");
  EXPECT_EQ(fields(text.at(8)).at(1), "7");
  EXPECT_EQ(fields(text.at(8)).at(8), std::string(200, 'x'));
  EXPECT_EQ(fields(fields(text.at(9)).at(1)).at(1), "text");

  EXPECT_EQ(fields(events[3]).at(2), "-1");
  auto image = fields(value_of(3).at(4));
  EXPECT_EQ(image.at(1), "2");
  EXPECT_EQ(image.at(2), "3");
  EXPECT_EQ(image.at(4), std::string(png.begin(), png.end()));
}

TEST(TensorBoard, WritersNeverShareAFile) {
  const TemporaryFolder folder;
  const TensorBoardWriter first(folder.path());
  const TensorBoardWriter second(folder.path());
  EXPECT_NE(first.path(), second.path());
}

TEST(TensorBoard, AFileBeginsWithASessionStartAtItsFirstStep) {
  const TemporaryFolder folder;
  for (const int64_t first_step : {0, 5}) {
    const TensorBoardWriter writer(folder.path(), first_step);
    const auto events = records(writer.path());
    ASSERT_EQ(events.size(), 2u);
    EXPECT_EQ(fields(events[1]).at(2), std::to_string(first_step));
    EXPECT_EQ(fields(fields(events[1]).at(7)).at(1), "1");  // SessionLog.START
  }
}

TEST(TensorBoard, AFileSortsBehindThoseThatAreThere) {
  const TemporaryFolder folder;
  const TensorBoardWriter first(folder.path());
  EXPECT_LT(first.path(), TensorBoardWriter(folder.path()).path());
  // The clock was set back since.
  write_file_atomic(folder.path() / "events.out.tfevents.9000000000.zoo.1.0", "");
  write_file_atomic(folder.path() / "notes.txt", "");
  EXPECT_LT((folder.path() / "events.out.tfevents.9000000000.zoo.1.0"), TensorBoardWriter(folder.path()).path());
}

TEST(TensorBoard, UnwritableFolderIsAnError) {
  const TemporaryFolder folder;
  write_file_atomic(folder.path() / "file", "");
  expect_error([&] { TensorBoardWriter(folder.path() / "file"); }, ExitCode::io, {"file"});
}

}  // namespace
}  // namespace diptych
