#include "diptych/tensor/torch.h"

#include "diptych/bench/machine_bench.h"

#include "diptych/base/text_format.h"
#include "diptych/tensor/random.h"

namespace diptych {

namespace {

constexpr int64_t kTokens = 1024;

BenchRow gemm_row(const std::string& name, int64_t rows, int64_t inner, int64_t columns, const BenchEffort& effort,
                  const at::TensorOptions& options) {
  const Tensor a = normal_tensor({.seed = kBenchSeed}, {rows, inner}).to(options);
  const Tensor b = normal_tensor({.seed = kBenchSeed + 1}, {inner, columns}).to(options);
  const double seconds = median_seconds(options.device(), effort, [&] { at::mm(a, b); });
  const double operations = 2.0 * static_cast<double>(rows) * static_cast<double>(inner * columns);
  const char* dtype = a.scalar_type() == at::kFloat ? "fp32" : "bf16";
  return {name,
          cat('[', rows, ", ", inner, "] x [", inner, ", ", columns, "] ", dtype),
          "product",
          seconds,
          operations / seconds,
          std::nullopt,
          ""};
}

}  // namespace

std::vector<BenchRow> bench_gemm(const Bagel& model, const BenchEffort& effort) {
  const at::NoGradGuard no_grad;
  const ModelConfig& config = model.config;
  const at::TensorOptions options = compute_options(model);
  // A device of many processors is only busy with larger products.
  const int64_t side = options.device().is_cpu() ? effort.gemm_side : 4 * effort.gemm_side;
  return {gemm_row("gemm", side, side, side, effort, options),
          gemm_row("gemm of the model", kTokens, config.hidden, config.mlp, effort, options)};
}

BenchRow bench_bandwidth(at::Device device, const BenchEffort& effort) {
  const int64_t mebibytes = effort.bandwidth_mebibytes;
  const Tensor from = at::zeros({mebibytes << 20}, at::TensorOptions().dtype(at::kByte).device(device));
  const Tensor to = at::zeros_like(from);
  const double seconds = median_seconds(device, effort, [&] { to.copy_(from); });
  BenchRow row{"bandwidth", cat("copying ", mebibytes, " MiB"), "run", seconds, std::nullopt, std::nullopt, ""};
  row.bytes = 2 * static_cast<double>(from.numel()) / seconds;
  return row;
}

}  // namespace diptych
