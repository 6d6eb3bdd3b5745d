#include "diptych/io/tensorboard.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <charconv>
#include <chrono>
#include <cstring>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/io/files.h"

namespace diptych {

namespace {

constexpr std::array<uint32_t, 256> make_crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82f63b78u : 0u);
    table[byte] = value;
  }
  return table;
}
constexpr std::array<uint32_t, 256> kCrcTable = make_crc_table();

/** TFRecord stores checksums rotated and shifted, so that data with checksums inside does not weaken them. */
uint32_t masked_crc(std::string_view bytes) {
  return std::rotr(crc32c(bytes), 15) + 0xa282ead8u;
}

template <class Number>
std::string little_endian(Number number) {
  std::string bytes(sizeof number, '\0');
  for (size_t i = 0; i < sizeof number; ++i) bytes[i] = static_cast<char>(number >> (8 * i));
  return bytes;
}

// Protocol buffer wire format: a key of field number and wire type, then the value.
enum WireType : uint64_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}

std::string key(uint64_t field, WireType type) {
  return varint(field << 3 | type);
}

std::string integer_field(uint64_t field, int64_t value) {
  return key(field, kVarint) + varint(static_cast<uint64_t>(value));
}
std::string double_field(uint64_t field, double value) {
  return key(field, kFixed64) + little_endian(std::bit_cast<uint64_t>(value));
}
std::string float_field(uint64_t field, float value) {
  return key(field, kFixed32) + little_endian(std::bit_cast<uint32_t>(value));
}
/** Strings, bytes and nested messages. */
std::string bytes_field(uint64_t field, std::string_view value) {
  return key(field, kBytes) + varint(value.size()) + std::string(value);
}

constexpr std::string_view kFilePrefix = "events.out.tfevents.";

std::string event_start() {
  const std::chrono::duration<double> since_1970 = std::chrono::system_clock::now().time_since_epoch();
  return double_field(1, since_1970.count());  // Event.wall_time
}

/** Of an event file; 0 for any other. */
int64_t seconds_of(const std::string& file_name) {
  constexpr int64_t kNotOurs = 10'000'000'000;  // names of another length sort elsewhere
  int64_t seconds = 0;
  if (file_name.starts_with(kFilePrefix))
    std::from_chars(file_name.data() + kFilePrefix.size(), file_name.data() + file_name.size(), seconds);
  return seconds + 1 < kNotOurs ? seconds : 0;
}

/** Readers take the files in the order of their names, so that a clock that was set back must not count. */
std::string file_name(const std::filesystem::path& folder) {
  static std::atomic<int> count{0};
  auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    seconds = std::max(seconds, seconds_of(entry.path().filename().string()) + 1);
  char host[256] = {};
  gethostname(host, sizeof host - 1);
  return cat(kFilePrefix, seconds, ".", *host == '\0' ? "localhost" : host, ".", getpid(), ".", count++);
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  uint32_t crc = 0xffffffffu;
  for (const char c : bytes) crc = (crc >> 8) ^ kCrcTable[(crc ^ static_cast<uint8_t>(c)) & 0xff];
  return ~crc;
}

TensorBoardWriter::TensorBoardWriter(const std::filesystem::path& folder, int64_t first_step) {
  make_folder(folder);
  path_ = folder / file_name(folder);
  file_.open(path_, std::ios::binary | std::ios::app);
  write_record(event_start() + bytes_field(3, "brain.Event:2"));  // Event.file_version
  constexpr int64_t kStart = 1;                                   // SessionLog.SessionStatus
  // Event.step, and Event.session_log with its status. TensorBoard drops what it has of this step and later ones.
  write_record(event_start() + integer_field(2, first_step) + bytes_field(7, integer_field(1, kStart)));
  flush();
}

void TensorBoardWriter::scalar(const std::string& tag, int64_t step, double value) {
  write_summary(step, bytes_field(1, tag) + float_field(2, static_cast<float>(value)));  // tag, simple_value
}

void TensorBoardWriter::text(const std::string& tag, int64_t step, const std::string& text) {
  constexpr int64_t kStringType = 7;                              // DataType.DT_STRING
  const std::string shape = bytes_field(2, integer_field(1, 1));  // TensorShapeProto.dim { size: 1 }
  const std::string tensor = integer_field(1, kStringType) + bytes_field(2, shape) + bytes_field(8, text);
  const std::string metadata = bytes_field(1, bytes_field(1, "text"));  // plugin_data { plugin_name }
  write_summary(step, bytes_field(1, tag) + bytes_field(8, tensor) + bytes_field(9, metadata));
}

void TensorBoardWriter::image(const std::string& tag, int64_t step, int height, int width,
                              std::span<const uint8_t> png) {
  constexpr int64_t kRgb = 3;  // Summary.Image.colorspace
  const std::string image = integer_field(1, height) + integer_field(2, width) + integer_field(3, kRgb) +
                            bytes_field(4, {reinterpret_cast<const char*>(png.data()), png.size()});
  write_summary(step, bytes_field(1, tag) + bytes_field(4, image));
}

void TensorBoardWriter::write_summary(int64_t step, const std::string& value) {
  // Event.step, and Event.summary with one Summary.Value.
  write_record(event_start() + integer_field(2, step) + bytes_field(5, bytes_field(1, value)));
}

void TensorBoardWriter::write_record(std::string_view event) {
  const std::string length = little_endian(static_cast<uint64_t>(event.size()));
  file_ << length << little_endian(masked_crc(length)) << event << little_endian(masked_crc(event));
  if (!file_) throw Error(ExitCode::io, {path_.string(), "a file that can be written", std::strerror(errno), ""});
}

void TensorBoardWriter::flush() {
  file_.flush();
  if (!file_) throw Error(ExitCode::io, {path_.string(), "a file that can be written", std::strerror(errno), ""});
}

}  // namespace diptych
