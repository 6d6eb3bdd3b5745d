#include "diptych/cli/compute_options.h"

#include "diptych/tensor/device.h"
#include "diptych/train/session.h"

namespace diptych {

void add_compute_options(CLI::App& command, ComputeOptions& options) {
  const std::string group = "Compute";
  command.add_option("--threads", options.threads, "CPU threads; 0: all cores")
      ->type_name("N")
      ->check(CLI::Range(0, 1024).description(""))
      ->capture_default_str()
      ->group(group);
  command.add_option("--device", options.device, "cpu, cuda or cuda:N")
      ->type_name("NAME")
      ->capture_default_str()
      ->group(group);
  command.add_option("--dtype", options.dtype, "float32 or bfloat16: of the model's weights and activations")
      ->type_name("NAME")
      ->check(CLI::IsMember({"float32", "bfloat16"}).description(""))
      ->capture_default_str()
      ->group(group);
}

ModelFolder load_model_folder(const std::filesystem::path& folder, const ComputeOptions& options) {
  use_threads(options.threads);
  return load_model_folder(folder, compute_dtype(options.dtype), open_device(options.device, 0, "--device"));
}

}  // namespace diptych
