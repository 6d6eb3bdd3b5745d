#pragma once
// Spoilt pictures of scenes: for tests of the verifier and for studies of how a reward can be hacked.

#include <array>
#include <string_view>

#include "diptych/base/rng.h"
#include "diptych/shapes/world/render.h"

namespace diptych::shapes {

enum class Distortion {
  blur,          // Gaussian, standard deviation up to 2 pixels
  noise,         // Gaussian per byte, standard deviation up to 64 levels
  wrong_colour,  // one object's colour moves to another of the palette
  missing,       // a share of the objects is left out, rounded to whole objects
  extra,         // a share of the free cells, rounded, holds random objects
  overlap,       // one object moves towards another, up to 1.25 radii from its centre; needs two objects
};

inline constexpr std::array<std::string_view, 6> kDistortionNames = {"blur",    "noise", "wrong_colour",
                                                                     "missing", "extra", "overlap"};

/** Gaussian filter with edges repeated; `sigma` in pixels, 0 = unchanged. */
Image gaussian_blur(const Image& image, double sigma);

/** Adds normal noise of standard deviation `sigma` to every byte, rounded and clamped. */
Image gaussian_noise(const Image& image, double sigma, Stream& stream);

/** Picture of the scene under one distortion; strength in [0, 1], and 0 equals render(). The stream decides which
 *  object, colour or place: equal streams make equal choices at all strengths. Scenes without the objects that the
 *  distortion needs come out clean. */
Image distorted(const Scene& scene, const World& world, Distortion distortion, double strength, Stream& stream);

}  // namespace diptych::shapes
