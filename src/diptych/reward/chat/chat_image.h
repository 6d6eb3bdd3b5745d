#pragma once
// The image of a message part, for a request body and for a cache key.

#include <string>

#include "diptych/reward/chat/chat.h"

namespace diptych {

/** "data:image/png;base64,..." or "data:image/jpeg;base64,...". `part.image` must be set. Throws Error(data) for an
 *  image whose bytes do not fit its size. */
std::string image_data_uri(const ChatPart& part);

/** Names the image as it travels: encoding, size and a hash of its pixels, such as "jpeg95 64x64 1f...". Equal if and
 *  only if image_data_uri is, but for hash collisions. */
std::string image_digest(const ChatPart& part);

}  // namespace diptych
