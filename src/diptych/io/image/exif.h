#pragma once
// How the camera was held, which EXIF says beside the pixels.

#include <cstdint>
#include <span>

#include "diptych/io/image/image.h"

namespace diptych {

/** The tag Orientation of EXIF data, 1 to 8: a TIFF structure in either byte order, with or without "Exif\0\0" in front
 *  of it. 1, upright, where the tag is missing, has no such value, or the data are damaged. (Exif 2.32, 4.6.4 A) */
int exif_orientation(std::span<const uint8_t> exif);

/** The picture as it is to be seen, from pixels that are stored in this orientation. */
Image turned_upright(Image image, int orientation);

}  // namespace diptych
