#pragma once
// TensorBoard event files, without TensorFlow or protobuf.

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>

namespace diptych {

/** Writes one event file: TFRecord frames around hand-encoded Event messages (tensorflow/core/util/event.proto,
 *  tensorflow/core/framework/summary.proto). Each writer makes a new file, as TensorBoard expects after a resume, and
 *  begins it with a session start: whatever earlier files of the folder hold from its step on is no longer shown.
 *  Throws Error(io). */
class TensorBoardWriter {
 public:
  /** Creates `folder` and in it events.out.tfevents.<seconds>.<host>.<process>.<count>, which sorts behind all files
   * that are there. `first_step`: the first that will be written. */
  explicit TensorBoardWriter(const std::filesystem::path& folder, int64_t first_step = 0);

  void scalar(const std::string& tag, int64_t step, double value);
  /** Markdown text, for TensorBoard's text page. */
  void text(const std::string& tag, int64_t step, const std::string& text);
  /** RGB image of height x width pixels, already encoded as PNG. */
  void image(const std::string& tag, int64_t step, int height, int width, std::span<const uint8_t> png);
  /** Hands everything to the operating system, so that a running TensorBoard sees it. */
  void flush();

  const std::filesystem::path& path() const { return path_; }

 private:
  void write_summary(int64_t step, const std::string& value);
  void write_record(std::string_view event);
  std::filesystem::path path_;
  std::ofstream file_;
};

/** CRC-32C (Castagnoli polynomial, RFC 3720 appendix B.4). */
uint32_t crc32c(std::string_view bytes);

}  // namespace diptych
