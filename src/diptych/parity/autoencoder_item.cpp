// 04: the autoencoder alone.

#include "diptych/base/text_format.h"
#include "diptych/parity/images.h"
#include "diptych/parity/items.h"
#include "diptych/tensor/image_tensor.h"

namespace diptych {

namespace {

void compare_encoding(const Bagel& model, const Fixture& fixture, int64_t i, Comparison& comparison) {
  const std::string in = cat("in.image", i, "_");
  const std::string out = cat("out.image", i, "_");
  const at::ScalarType dtype = autoencoder_dtype(model);
  const Image image = resized(stored_image(fixture.at(in + "uint8")), model.config.vae_transform);
  comparison.equal(in + "resized_uint8", image);
  const Tensor pixels = image_to_tensor(image);
  comparison.close(in + "pixels", pixels);
  const Tensor batch = pixels.unsqueeze(0).to(dtype);
  const Moments moments = encode_moments(model.autoencoder, batch);
  comparison.close(out + "mean", moments.mean);
  comparison.close(out + "logvar", moments.logvar);
  const Tensor latent = encode_stored(model, batch, fixture.at(in + "eps"));
  comparison.close(out + "latent", latent);
  comparison.close(out + "roundtrip", decode(model.autoencoder, latent));
}

}  // namespace

ItemResult autoencoder_item(const ParityCase& parity) {
  at::NoGradGuard no_grad;
  const Fixture fixture(parity.folder / "04_vae.safetensors");
  Comparison comparison(parity.item, fixture);
  const Bagel& model = parity.model();
  const at::ScalarType dtype = autoencoder_dtype(model);
  for (int64_t i = 0; fixture.has(cat("in.image", i, "_uint8")); ++i) compare_encoding(model, fixture, i, comparison);
  const Moments padded = encode_moments(model.autoencoder, fixture.at("in.padded_images").to(dtype));
  comparison.close("out.padded_mean", padded.mean);
  comparison.close("out.padded_logvar", padded.logvar);
  for (int64_t i = 0; fixture.has(cat("in.decode", i, "_latent")); ++i)
    compare_decoded(comparison, cat("out.decode", i, "_"),
                    decode(model.autoencoder, fixture.at(cat("in.decode", i, "_latent")).to(dtype)));
  return comparison.result();
}

}  // namespace diptych
