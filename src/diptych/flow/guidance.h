#pragma once
// Classifier-free guidance of BAGEL with up to two dropped contexts, renormalised per image.

#include "diptych/tensor/torch.h"

namespace diptych {

/** What the norms of the guided velocity run over: one image, one token, or one token after text guidance only. */
enum class RenormType { global, channel, text_channel };

/** Defaults: no guidance. A scale acts only above 1, the image scale only together with the text scale. */
struct Guidance {
  double text_scale = 1;
  double image_scale = 1;
  double interval_low = 0;  // active for interval_low < t <= interval_high
  double interval_high = 1;
  double renorm_min = 0;  // lower bound of the renormalisation factor; 1 turns renormalisation off
  RenormType renorm = RenormType::global;
};

/** Whether the velocity with dropped text is needed at flow time t. */
bool uses_text_guidance(const Guidance& guidance, double t);

/** Whether the velocity with dropped image is needed at flow time t as well. */
bool uses_image_guidance(const Guidance& guidance, double t);

/** The guided velocity at flow time t; v_cond itself where guidance does not act.
 *  v_cond: full context; v_text: text dropped; v_image: image dropped. All [tokens, channels] of one image, or
 *  [n, tokens, channels] of n images of one size. A velocity that the predicates above do not ask for may be undefined.
 *    a = v_text + s_text (v_cond - v_text);  b = v_image + s_image (a - v_image)
 *    result = b clamp(|v_cond| / (|b| + 1e-8), renorm_min, 1)
 *  text_channel scales a instead, before image guidance. Norms never mix images, unlike the packed official code.
 *  Source: BAGEL _forward_flow. */
Tensor guided_velocity(const Tensor& v_cond, const Tensor& v_text, const Tensor& v_image, const Guidance& guidance,
                       double t);

}  // namespace diptych
