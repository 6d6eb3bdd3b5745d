#include "diptych/model/attention/segment.h"

namespace diptych {

int64_t token_count(const Segment& segment) {
  if (segment.kind == SegmentKind::text) return static_cast<int64_t>(segment.tokens.size());
  return segment.grid_height * segment.grid_width + 2;
}

int64_t next_position(const Segment& segment) {
  switch (segment.kind) {
    case SegmentKind::text:
      return segment.position + static_cast<int64_t>(segment.tokens.size());
    case SegmentKind::noisy_latent:
      return segment.position;
    default:
      return segment.position + 1;
  }
}

Segment text_segment(std::vector<int64_t> tokens, int64_t parent, int64_t position) {
  Segment segment;
  segment.tokens = std::move(tokens);
  segment.parent = parent;
  segment.position = position;
  return segment;
}

Segment image_segment(SegmentKind kind, Tensor patches, int64_t height, int64_t width, int64_t parent,
                      int64_t position) {
  TORCH_CHECK(patches.dim() == 2 && patches.size(0) == height * width, "image_segment: expected ", height * width,
              " patches, got ", patches.sizes());
  Segment segment;
  segment.kind = kind;
  segment.content = std::move(patches);
  segment.grid_height = height;
  segment.grid_width = width;
  segment.parent = parent;
  segment.position = position;
  return segment;
}

Segment noisy_segment(Tensor latent, int64_t height, int64_t width, double time, int64_t parent, int64_t position) {
  Segment segment = image_segment(SegmentKind::noisy_latent, std::move(latent), height, width, parent, position);
  segment.time = time;
  return segment;
}

}  // namespace diptych
