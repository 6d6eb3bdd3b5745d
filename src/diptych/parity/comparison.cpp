#include "diptych/parity/comparison.h"

#include <cmath>
#include <limits>

#include "diptych/base/text_format.h"

namespace diptych {

namespace {

constexpr size_t kMostFaults = 5;
constexpr double kNearInteger = 1e-2;
constexpr double kGradientTolerance = 1e-4;
constexpr double kGradientFloor = 1e-4;
constexpr double kRoundingNoise = 1e-6;

Tensor as_double(const Tensor& tensor) {
  return tensor.detach().cpu().to(at::kDouble).contiguous();
}

double l2_norm(const Tensor& tensor) {
  return tensor.defined() ? as_double(tensor).norm().item<double>() : 0.0;
}

std::string index_text(int64_t flat, at::IntArrayRef shape) {
  std::vector<int64_t> index(shape.size());
  for (size_t dim = shape.size(); dim-- > 0;) {
    index[dim] = flat % shape[dim];
    flat /= shape[dim];
  }
  return "[" + join(index, ", ") + "]";
}

Tensor pixels_of(const Image& image) {
  return at::tensor(at::ArrayRef<uint8_t>(image.pixels), at::kByte).view({image.height, image.width, 3});
}

bool is_output(const std::string& key) {
  return key.starts_with("out.") || key.find(".out.") != std::string::npos;
}

// A bias that shifts all scores of a softmax row alike has no effect: its gradient is rounding noise.
bool is_rounding_noise(const std::string& name) {
  return name.starts_with("vit_model.") && name.ends_with("k_proj.bias");
}

}  // namespace

Comparison::Comparison(std::string item, const Fixture& fixture) : fixture_(&fixture) {
  result_.item = std::move(item);
}

Comparison::Comparison(std::string item) {
  result_.item = std::move(item);
}

void Comparison::close(const std::string& key, const Tensor& actual) {
  const Tensor expected = as_double(fixture_->at(key));
  const double largest = expected.numel() > 0 ? expected.abs().max().item<double>() : 0.0;
  close(key, actual, {.absolute = kFloatTolerance * std::max(1.0, largest)});
}

void Comparison::close(const std::string& key, const Tensor& actual, ParityTolerance tolerance) {
  compared_.insert(key);
  close_to(key, actual, fixture_->at(key), tolerance);
}

void Comparison::close(const std::string& key, double actual, ParityTolerance tolerance) {
  close(key, at::scalar_tensor(actual, at::kDouble).view_as(fixture_->at(key)), tolerance);
}

void Comparison::close_to(const std::string& name, const Tensor& actual, const Tensor& expected,
                          ParityTolerance tolerance) {
  const Tensor a = as_double(actual);
  const Tensor e = as_double(expected);
  if (a.sizes() != e.sizes()) {
    fault(cat(name, ": shape ", a.sizes(), ", expected ", e.sizes()));
    return;
  }
  result_.values += a.numel();
  if (a.numel() == 0) return;
  const Tensor difference = (a - e).abs().nan_to_num(std::numeric_limits<double>::infinity()).flatten();
  const int64_t worst = difference.argmax().item<int64_t>();
  const double allowed = tolerance.absolute + tolerance.relative * e.abs().max().item<double>();
  record(difference[worst].item<double>(), allowed, cat(name, " ", index_text(worst, a.sizes())));
}

void Comparison::equal(const std::string& key, const Tensor& actual) {
  close(key, actual, {});
}

void Comparison::equal(const std::string& key, const std::vector<int64_t>& actual) {
  const Tensor& expected = fixture_->at(key);
  const Tensor flat = at::tensor(actual, at::kLong);
  equal(key, flat.numel() == expected.numel() ? flat.view_as(expected) : flat);
}

void Comparison::equal(const std::string& key, const Image& actual) {
  equal(key, pixels_of(actual));
}

void Comparison::truncated_image(const std::string& key, const std::string& float_key, const Image& actual) {
  compared_.insert(key);
  const Tensor pixels = pixels_of(actual);
  const Tensor& expected = fixture_->at(key);
  if (pixels.sizes() != expected.sizes()) {
    fault(cat(key, ": shape ", pixels.sizes(), ", expected ", expected.sizes()));
    return;
  }
  const Tensor exact = as_double(fixture_->at(float_key));
  const Tensor near_integer = (exact - exact.round()).abs() <= kNearInteger;
  const Tensor difference = (as_double(pixels) - as_double(expected)).abs();
  const Tensor excess = at::where(near_integer, (difference - 1).clamp_min(0), difference);
  close_to(key, excess, at::zeros_like(excess), {});
}

void Comparison::norm_close(const std::string& key, const Tensor& actual, double relative) {
  compared_.insert(key);
  const Tensor a = as_double(actual);
  const Tensor e = as_double(fixture_->at(key));
  if (a.sizes() != e.sizes()) {
    fault(cat(key, ": shape ", a.sizes(), ", expected ", e.sizes()));
    return;
  }
  result_.values += a.numel();
  record(l2_norm(a - e) / l2_norm(e), relative, key + " (relative L2)");
}

void Comparison::gradients(const std::vector<ParameterSlot>& slots, const std::string& prefix) {
  double largest = 0;
  std::set<std::string> known;
  for (const ParameterSlot& slot : slots) {
    known.insert(prefix + slot.name);
    if (fixture_->has(prefix + slot.name)) largest = std::max(largest, l2_norm(fixture_->at(prefix + slot.name)));
  }
  for (const ParameterSlot& slot : slots) {
    const std::string key = prefix + slot.name;
    const Tensor actual = slot.tensor->grad();
    const double floor = kGradientFloor * largest;
    if (!fixture_->has(key)) {
      if (l2_norm(actual) > kGradientTolerance * floor) fault(cat(key, ": a gradient, but none is stored"));
      continue;
    }
    compared_.insert(key);
    const Tensor& expected = fixture_->at(key);
    const Tensor difference = actual.defined() ? as_double(actual) - as_double(expected) : as_double(expected);
    result_.values += expected.numel();
    const double allowed = is_rounding_noise(slot.name) ? kRoundingNoise * largest
                                                        : kGradientTolerance * std::max(l2_norm(expected), floor);
    record(l2_norm(difference), allowed, key + " (L2)");
  }
  for (const auto& [key, tensor] : fixture_->tensors())
    if (key.starts_with(prefix) && !key.starts_with("in.") && !key.starts_with("out.") && !known.contains(key))
      fault(cat(key, ": stored, but the model has no such parameter"));
}

void Comparison::fault(const std::string& text) {
  faults_.push_back(text);
}

void Comparison::exact(bool same, const std::string& name) {
  ++result_.values;
  if (!same) fault(name);
}

void Comparison::record(double error, double tolerance, const std::string& where) {
  // Exact comparisons have tolerance 0; among passes the relative size decides what is shown.
  const auto badness = [](double e, double t) { return e <= 0 ? 0.0 : e / std::max(t, 1e-30); };
  if (!std::isfinite(error)) error = std::numeric_limits<double>::infinity();
  if (!(error <= tolerance)) result_.status = ItemStatus::failed;
  if (!result_.where.empty() && badness(error, tolerance) <= badness(result_.error, result_.tolerance)) return;
  result_.error = error;
  result_.tolerance = tolerance;
  result_.where = where;
}

ItemResult Comparison::result() const {
  ItemResult result = result_;
  std::vector<std::string> faults = faults_;
  if (fixture_ != nullptr) {
    for (const auto& [key, tensor] : fixture_->tensors())
      if ((every_key_ || is_output(key)) && !compared_.contains(key)) faults.push_back(key + ": not compared");
  }
  if (result.values == 0) faults.push_back("nothing was compared");
  const bool failed = result_.status == ItemStatus::failed || !faults.empty();
  result.status = failed ? ItemStatus::failed : ItemStatus::passed;
  const size_t more = faults.size() > kMostFaults ? faults.size() - kMostFaults : 0;
  faults.resize(faults.size() - more);
  result.detail = join(faults, "; ");
  if (more > 0) result.detail += cat("; and ", more, " more");
  return result;
}

}  // namespace diptych
