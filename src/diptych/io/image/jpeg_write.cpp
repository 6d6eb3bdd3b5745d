#include <csetjmp>
#include <cstdio>
#include <cstdlib>

#include <jpeglib.h>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/io/image/image.h"

namespace diptych {

namespace {

// Errors arrive by longjmp, so the state lives in JpegWriter, whose owner sits above the setjmp.
struct JpegWriter {
  jpeg_compress_struct state{};
  jpeg_error_mgr errors{};
  std::jmp_buf on_failure;
  char problem[JMSG_LENGTH_MAX] = "";
  unsigned char* bytes = nullptr;
  unsigned long size = 0;

  ~JpegWriter() {
    jpeg_destroy_compress(&state);
    std::free(bytes);
  }
};

void on_write_error(j_common_ptr state) {
  auto* writer = static_cast<JpegWriter*>(state->client_data);
  state->err->format_message(state, writer->problem);
  std::longjmp(writer->on_failure, 1);
}

bool compress(JpegWriter& writer, const Image& image, int quality) {
  if (setjmp(writer.on_failure) != 0) return false;
  jpeg_create_compress(&writer.state);
  jpeg_mem_dest(&writer.state, &writer.bytes, &writer.size);
  writer.state.image_width = static_cast<JDIMENSION>(image.width);
  writer.state.image_height = static_cast<JDIMENSION>(image.height);
  writer.state.input_components = 3;
  writer.state.in_color_space = JCS_RGB;
  jpeg_set_defaults(&writer.state);
  jpeg_set_quality(&writer.state, quality, TRUE);
  jpeg_start_compress(&writer.state, TRUE);
  const size_t stride = static_cast<size_t>(image.width) * 3;
  while (writer.state.next_scanline < writer.state.image_height) {
    // libjpeg only reads the row, but its type says otherwise.
    JSAMPROW row = const_cast<JSAMPROW>(image.pixels.data() + writer.state.next_scanline * stride);
    jpeg_write_scanlines(&writer.state, &row, 1);
  }
  jpeg_finish_compress(&writer.state);
  return true;
}

}  // namespace

std::vector<uint8_t> encode_jpeg(const Image& image, int quality) {
  JpegWriter writer;
  writer.state.err = jpeg_std_error(&writer.errors);
  writer.state.client_data = &writer;
  writer.errors.error_exit = on_write_error;
  if (!compress(writer, image, quality))
    throw Error(ExitCode::internal, {"encode_jpeg", "an image that libjpeg can write",
                                     cat(image.width, " x ", image.height, ": ", writer.problem), ""});
  return {writer.bytes, writer.bytes + writer.size};
}

}  // namespace diptych
