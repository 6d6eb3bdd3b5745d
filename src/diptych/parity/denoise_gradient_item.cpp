// 14: gradients of a weighted sum of velocities.

#include "diptych/parity/contexts.h"
#include "diptych/parity/gradients.h"
#include "diptych/parity/items.h"

namespace diptych {

ItemResult denoise_gradient_item(const ParityCase& parity) {
  const Fixture fixture(parity.folder / "14_denoise_grads.safetensors");
  Comparison comparison(parity.item, fixture);
  const Bagel& model = parity.model();
  const TrainableScope trainable(parity.loaded->model);
  const Tensor x = fixture.at("in.x_t").clone().set_requires_grad(true);
  const double time = fixture.number("in.timestep");

  // The pack of the t2i velocities; the prompts are held constant, as they were cached in the reference.
  const std::vector<ImageTask> tasks =
      stored_tasks(model, Fixture(parity.folder / "06_velocity_t2i.safetensors")).tasks;
  const std::vector<std::vector<int64_t>> prompts = stored_prompts(parity.folder);
  std::vector<Segment> noisy = noisy_segments(tasks, x, time);
  std::vector<Segment> segments;
  for (size_t i = 0; i < tasks.size(); ++i) {
    segments.push_back(text_segment(prompts.at(i), -1, 0));
    noisy[i].cached.clear();
    noisy[i].parent = static_cast<int64_t>(segments.size()) - 1;
    noisy[i].detach_context = true;
    segments.push_back(noisy[i]);
  }
  const PackOutput output = forward(model, segments);
  const Tensor velocities = velocity(model, output.latent);
  const Tensor loss = (velocities * fixture.at("in.weight")).sum();
  loss.backward();
  comparison.close("out.velocity", velocities);
  comparison.close("out.loss", loss);
  comparison.norm_close("out.grad_x_t", x.grad(), kFloatTolerance);
  comparison.gradients(trainable.slots());
  return comparison.result();
}

}  // namespace diptych
