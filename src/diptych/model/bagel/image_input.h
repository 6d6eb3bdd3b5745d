#pragma once
// Images as the model's two encoders take them.

#include "diptych/io/image/resize.h"
#include "diptych/model/bagel/bagel.h"

namespace diptych {

/** The image at the size of a transform of config.json; an image of that size is left as it is. */
Image resized(const Image& image, const ImageTransformConfig& transform);

/** A segment with the ViT patches of pixels [3, H, W] in [-1, 1], without context, at position 0. */
Segment vit_segment(const Bagel& model, const Tensor& pixels);

}  // namespace diptych
