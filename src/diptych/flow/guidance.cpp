#include "diptych/flow/guidance.h"

namespace diptych {

namespace {

Tensor extrapolate(const Tensor& from, const Tensor& to, double scale) {
  return from + scale * (to - from);
}

Tensor renormalized(const Tensor& guided, const Tensor& v_cond, const Guidance& guidance) {
  if (guidance.renorm_min >= 1) return guided;
  const std::vector<int64_t> dims =
      guidance.renorm == RenormType::global ? std::vector<int64_t>{-2, -1} : std::vector<int64_t>{-1};
  const auto norm = [&](const Tensor& v) { return at::norm(v, 2, dims, /*keepdim=*/true); };
  return guided * (norm(v_cond) / (norm(guided) + 1e-8)).clamp(guidance.renorm_min, 1.0);
}

}  // namespace

bool uses_text_guidance(const Guidance& guidance, double t) {
  return guidance.text_scale > 1 && guidance.interval_low < t && t <= guidance.interval_high;
}

bool uses_image_guidance(const Guidance& guidance, double t) {
  return uses_text_guidance(guidance, t) && guidance.image_scale > 1;
}

Tensor guided_velocity(const Tensor& v_cond, const Tensor& v_text, const Tensor& v_image, const Guidance& guidance,
                       double t) {
  TORCH_CHECK(v_cond.dim() == 2 || v_cond.dim() == 3, "velocity must be [tokens, channels] or [n, tokens, channels]");
  if (!uses_text_guidance(guidance, t)) return v_cond;
  TORCH_CHECK(v_text.defined() && v_text.sizes() == v_cond.sizes(), "text guidance needs the velocity without text");
  const bool text_first = guidance.renorm == RenormType::text_channel;
  Tensor guided = extrapolate(v_text, v_cond, guidance.text_scale);
  if (text_first) guided = renormalized(guided, v_cond, guidance);
  if (uses_image_guidance(guidance, t)) {
    TORCH_CHECK(v_image.defined() && v_image.sizes() == v_cond.sizes(),
                "image guidance needs the velocity without image");
    guided = extrapolate(v_image, guided, guidance.image_scale);
  }
  return text_first ? guided : renormalized(guided, v_cond, guidance);
}

}  // namespace diptych
