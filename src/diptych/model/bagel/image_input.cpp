#include "diptych/model/bagel/image_input.h"

#include "diptych/tensor/image_tensor.h"

namespace diptych {

Image resized(const Image& image, const ImageTransformConfig& transform) {
  const ResizeRule rule{transform.max_long, transform.min_short, transform.stride};
  const auto [width, height] = resized_size(image.width, image.height, rule);
  return width == image.width && height == image.height ? image : resize_bicubic(image, width, height);
}

Segment vit_segment(const Bagel& model, const Tensor& pixels) {
  const int64_t patch = model.config.vit.patch;
  return image_segment(SegmentKind::vit_image, patchify_rgb(pixels, patch), pixels.size(1) / patch,
                       pixels.size(2) / patch, -1, 0);
}

}  // namespace diptych
