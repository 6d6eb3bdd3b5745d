#include "diptych/train/losses/window_rows.h"

#include <map>

#include "diptych/flow/sde_step.h"
#include "diptych/tensor/device.h"

namespace diptych {

namespace {

std::vector<StepCoefficients> window_coefficients(const DenoiseSchedule& schedule) {
  std::vector<StepCoefficients> steps;
  for (int64_t k = 0; k < schedule.window_size; ++k)
    steps.push_back(sde_coefficients(schedule.grid, schedule.window_begin + k, schedule.noise_level));
  return steps;
}

void set_coefficients(const DenoiseSchedule& schedule, int64_t stages, WindowRows& rows) {
  std::vector<double> x, v, std;
  for (const StepCoefficients& step : window_coefficients(schedule)) {
    x.push_back(step.x);
    v.push_back(step.v);
    std.push_back(step.std);
    rows.dt.push_back(step.dt);
  }
  const auto of_steps = [&](const std::vector<double>& values) {
    return on_device(at::tensor(values, at::kDouble), rows.velocity.options());
  };
  rows.x = of_steps(x).view({-1, 1, 1}).repeat({stages, 1, 1});
  rows.v = of_steps(v).view({-1, 1, 1}).repeat({stages, 1, 1});
  rows.std = of_steps(std).repeat({stages});
  rows.noise_level = schedule.noise_level;
}

}  // namespace

std::vector<std::vector<size_t>> places_by_size(const LossInput& input) {
  std::map<int64_t, std::vector<size_t>> sizes;  // by tokens
  for (size_t c = 0; c < input.now.velocities.size(); ++c)
    if (input.now.velocities[c].defined()) sizes[input.now.velocities[c].size(1)].push_back(c);
  std::vector<std::vector<size_t>> groups;
  for (auto& [tokens, places] : sizes) groups.push_back(std::move(places));
  return groups;
}

WindowRows window_rows(const LossInput& input, const std::vector<size_t>& places,
                       const LossDenominators& denominators) {
  std::vector<Tensor> velocity, before, frozen, state, next;
  WindowRows rows;
  rows.images = denominators.images;
  for (size_t c : places) {
    const size_t number = input.stages[c];
    const Stage& stage = input.rollout.stages[number];
    velocity.push_back(input.now.velocities[c]);
    before.push_back(input.old[number].velocities);
    if (!input.reference.empty()) frozen.push_back(input.reference[number].velocities);
    state.push_back(stage.image->states);
    next.push_back(stage.image->nexts);
    rows.advantages.insert(rows.advantages.end(), static_cast<size_t>(input.rollout.schedule.window_size),
                           input.advantages[number]);
  }
  rows.velocity = at::cat(velocity);
  rows.old_velocity = on_device(at::cat(before), rows.velocity.options());
  if (!frozen.empty()) rows.reference = on_device(at::cat(frozen), rows.velocity.options());
  rows.state = on_device(at::cat(state), rows.velocity.options());
  rows.next = on_device(at::cat(next), rows.velocity.options());
  set_coefficients(input.rollout.schedule, static_cast<int64_t>(places.size()), rows);
  rows.mean = mean_under(rows.velocity, rows);
  return rows;
}

Tensor mean_under(const Tensor& velocity, const WindowRows& rows) {
  return rows.state * rows.x + velocity * rows.v;
}

Tensor mean_over_window(const Tensor& of_rows, const WindowRows& rows) {
  return of_rows.sum() * (1.0 / static_cast<double>(rows.images * static_cast<int64_t>(rows.dt.size())));
}

std::vector<double> window_gains(const DenoiseSchedule& schedule) {
  std::vector<double> gains;
  for (const StepCoefficients& step : window_coefficients(schedule)) gains.push_back(step.v);
  return gains;
}

}  // namespace diptych
