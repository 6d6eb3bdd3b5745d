#include <csetjmp>
#include <cstdio>
#include <cstring>

#include <jerror.h>
#include <jpeglib.h>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/io/image/exif.h"
#include "diptych/io/image/image_codecs.h"

namespace diptych {

namespace {

constexpr int kMostScans = 100;  // a progressive image usually has 10
// One bit for a block of 8 x 8 is the least that Huffman codes need; arithmetic codes, which hardly anyone writes, may
// need a little less.
constexpr uint64_t kMostPixelsPerByte = 4096;
constexpr int kExifMarker = JPEG_APP0 + 1;
constexpr unsigned kLongestMarker = 0xffff;  // bytes, by the format

// As with libpng, errors arrive by longjmp: the state lives in JpegReader, whose owner sits above every setjmp.
struct JpegReader {
  jpeg_decompress_struct state{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf on_failure;
  char problem[JMSG_LENGTH_MAX] = "";
  std::vector<uint8_t> pixels;    // RGB
  std::vector<uint8_t> cmyk_row;  // only of such images

  ~JpegReader() { jpeg_destroy_decompress(&state); }
};

JpegReader& reader_of(j_common_ptr state) {
  return *static_cast<JpegReader*>(state->client_data);
}

void on_read_error(j_common_ptr state) {
  state->err->format_message(state, reader_of(state).problem);
  std::longjmp(reader_of(state).on_failure, 1);
}

// Most warnings are about stray bytes that do no harm; only missing data is an error. It is one at once: libjpeg would
// go on through the whole of an image of any size.
void on_message(j_common_ptr state, int level) {
  const int code = state->err->msg_code;
  if (level >= 0 || (code != JWRN_JPEG_EOF && code != JWRN_HIT_MARKER)) return;
  std::strcpy(reader_of(state).problem, "the file ends too early or is damaged");
  std::longjmp(reader_of(state).on_failure, 1);
}

// Each scan goes through the whole image, however few bytes it has.
void on_progress(j_common_ptr state) {
  if (reinterpret_cast<j_decompress_ptr>(state)->input_scan_number <= kMostScans) return;
  std::strcpy(reader_of(state).problem, "too many scans");
  std::longjmp(reader_of(state).on_failure, 1);
}

bool read_header(JpegReader& reader, const uint8_t* bytes, unsigned long size) {
  if (setjmp(reader.on_failure) != 0) return false;
  jpeg_create_decompress(&reader.state);
  reader.state.progress = &reader.progress;
  jpeg_mem_src(&reader.state, bytes, size);
  jpeg_save_markers(&reader.state, kExifMarker, kLongestMarker);
  jpeg_read_header(&reader.state, TRUE);
  return true;
}

bool is_cmyk(const JpegReader& reader) {
  return reader.state.num_components == 4;  // or YCCK, which libjpeg turns into CMYK
}

/** The plain formula, without a profile of printer and paper. Adobe's programs, which write nearly all such files,
 * store 255 - C and so on, and leave a marker; without it the values are those of the standard. */
void cmyk_to_rgb(const uint8_t* cmyk, size_t pixels, bool is_inverted, uint8_t* rgb) {
  const int flip = is_inverted ? 0 : 255;
  for (; pixels > 0; --pixels, cmyk += 4, rgb += 3)
    for (int c = 0; c < 3; ++c) rgb[c] = static_cast<uint8_t>(((cmyk[c] ^ flip) * (cmyk[3] ^ flip) + 127) / 255);
}

bool read_pixels(JpegReader& reader) {
  if (setjmp(reader.on_failure) != 0) return false;
  reader.state.out_color_space = is_cmyk(reader) ? JCS_CMYK : JCS_RGB;
  jpeg_start_decompress(&reader.state);
  const size_t width = reader.state.output_width;
  while (reader.state.output_scanline < reader.state.output_height) {
    uint8_t* target = reader.pixels.data() + reader.state.output_scanline * width * 3;
    JSAMPROW row = is_cmyk(reader) ? reader.cmyk_row.data() : target;
    jpeg_read_scanlines(&reader.state, &row, 1);
    if (is_cmyk(reader)) cmyk_to_rgb(row, width, reader.state.saw_Adobe_marker != 0, target);
  }
  jpeg_finish_decompress(&reader.state);
  return true;
}

/** Of the first marker with EXIF data; Photoshop and others use such markers for further things. */
int jpeg_orientation(const JpegReader& reader) {
  for (const jpeg_marker_struct* saved = reader.state.marker_list; saved != nullptr; saved = saved->next) {
    const std::span<const uint8_t> marker(saved->data, saved->data_length);
    if (marker.size() >= 4 && std::memcmp(marker.data(), "Exif", 4) == 0) return exif_orientation(marker);
  }
  return 1;
}

}  // namespace

StoredImage decode_jpeg(std::span<const uint8_t> bytes, const std::string& name, uint64_t max_pixels) {
  JpegReader reader;
  reader.state.err = jpeg_std_error(&reader.errors);
  reader.state.client_data = &reader;
  reader.errors.error_exit = on_read_error;
  reader.errors.emit_message = on_message;
  reader.progress.progress_monitor = on_progress;
  const auto fail = [&](const std::string& problem) {
    throw Error(ExitCode::data, {name, "a JPEG image", problem, "open and save it again, or leave it out"});
  };

  if (!read_header(reader, bytes.data(), bytes.size())) {
    const int bits = reader.state.data_precision;  // 0 if it was not reached
    if (bits != 0 && bits != BITS_IN_JSAMPLE)
      throw Error(ExitCode::data, {name, "a JPEG image of 8 bits a channel", cat(bits, " bits a channel"),
                                   "convert it to 8 bits, or to PNG"});
    fail(reader.problem);
  }
  check_image_size(reader.state.image_width, reader.state.image_height, name, max_pixels);
  const uint64_t pixels = uint64_t{reader.state.image_width} * reader.state.image_height;
  if (pixels > kMostPixelsPerByte * bytes.size()) fail(cat("only ", bytes.size(), " bytes for ", pixels, " pixels"));
  reader.pixels.resize(size_t{reader.state.image_width} * reader.state.image_height * 3);
  if (is_cmyk(reader)) reader.cmyk_row.resize(size_t{reader.state.image_width} * 4);
  const int orientation = jpeg_orientation(reader);  // libjpeg drops the markers behind the last row
  if (!read_pixels(reader)) fail(reader.problem);
  return {.image = {static_cast<int>(reader.state.output_height), static_cast<int>(reader.state.output_width),
                    std::move(reader.pixels)},
          .orientation = orientation,
          .cmyk = is_cmyk(reader)};
}

}  // namespace diptych
