#include "diptych/tensor/torch.h"

#include "diptych/bench/profile.h"

#include <torch/csrc/autograd/profiler_kineto.h>

#include <algorithm>
#include <cstdlib>

#include "diptych/tensor/device.h"

namespace diptych {

namespace {

namespace kineto = torch::autograd::profiler;

constexpr size_t kProfileLines = 20;

/** A call of an operation; nanoseconds. */
struct Span {
  uint64_t begin = 0;
  uint64_t end = 0;
  std::string name;
  uint64_t nested = 0;  // of its time, in the operations that it called
};

/** `spans`: of one thread, so that they lie side by side or within each other. */
void find_nested(std::vector<Span>& spans) {
  std::sort(spans.begin(), spans.end(),
            [](const Span& a, const Span& b) { return a.begin != b.begin ? a.begin < b.begin : a.end > b.end; });
  std::vector<Span*> open;
  for (Span& span : spans) {
    while (!open.empty() && open.back()->end <= span.begin) open.pop_back();
    if (!open.empty()) open.back()->nested += std::min(span.end, open.back()->end) - span.begin;
    open.push_back(&span);
  }
}

/** Of the time that any of the spans covers: kernels of several streams lie over each other. */
double covered_seconds(std::vector<Span> spans) {
  std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) { return a.begin < b.begin; });
  uint64_t covered = 0, until = 0;
  for (const Span& span : spans) {
    if (span.end <= until) continue;
    covered += span.end - std::max(span.begin, until);
    until = span.end;
  }
  return 1e-9 * static_cast<double>(covered);
}

std::unique_ptr<kineto::ProfilerResult> recorded(at::Device device, const std::function<void()>& work) {
  // Of a GPU its kernels alone: what the host does meanwhile would be many times as much.
  const std::set<kineto::ActivityType> activities = {device.is_cpu() ? kineto::ActivityType::CPU
                                                                     : kineto::ActivityType::CUDA};
  torch::profiler::impl::ExperimentalConfig threads;
  threads.profile_all_threads = true;  // packs on the CPU have their own
  const kineto::ProfilerConfig config(kineto::ProfilerState::KINETO, /*report_input_shapes=*/false,
                                      /*profile_memory=*/false, /*with_stack=*/false, /*with_flops=*/false,
                                      /*with_modules=*/false, threads);
  ::setenv("KINETO_LOG_LEVEL", "99", /*overwrite=*/0);  // else it tells that it starts and stops
  kineto::prepareProfiler(config, activities);
  kineto::enableProfiler(config, activities);
  try {
    work();
    synchronise(device);
  } catch (...) {
    kineto::disableProfiler();
    throw;
  }
  return kineto::disableProfiler();
}

}  // namespace

Profile profile_of(at::Device device, const std::function<void()>& work) {
  const std::unique_ptr<kineto::ProfilerResult> result = recorded(device, work);
  const bool on_cpu = device.is_cpu();
  std::map<uint64_t, std::vector<Span>> threads;  // of a GPU one: kernels call no others
  for (const kineto::KinetoEvent& event : result->events())
    if ((event.deviceType() == c10::DeviceType::CPU) == on_cpu && event.endNs() > event.startNs())
      threads[on_cpu ? event.startThreadId() : 0].push_back({event.startNs(), event.endNs(), event.name()});
  Profile profile;
  std::map<std::string, ProfileLine> lines;
  for (auto& [thread, spans] : threads) {
    if (on_cpu) find_nested(spans);
    if (!on_cpu) profile.busy_seconds = covered_seconds(spans);
    for (const Span& span : spans) {
      ProfileLine& line = lines.try_emplace(span.name, ProfileLine{span.name}).first->second;
      ++line.calls;
      line.seconds += 1e-9 * static_cast<double>(span.end - span.begin - span.nested);
    }
  }
  for (const auto& [name, line] : lines) {
    profile.seconds += line.seconds;
    profile.lines.push_back(line);
  }
  std::sort(profile.lines.begin(), profile.lines.end(),
            [](const ProfileLine& a, const ProfileLine& b) { return a.seconds > b.seconds; });
  if (profile.lines.size() > kProfileLines) profile.lines.resize(kProfileLines);
  return profile;
}

}  // namespace diptych
