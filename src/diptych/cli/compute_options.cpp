#include "diptych/cli/compute_options.h"

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/tensor/device.h"
#include "diptych/train/run/threads.h"

namespace diptych {

void add_compute_options(CLI::App& command, ComputeOptions& options) {
  const std::string group = "Compute";
  command.add_option("--threads", options.threads, "CPU threads; 0: as many as this process has cores")
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
  try {
    return load_model_folder(folder, compute_dtype(options.dtype), open_device(options.device, 0, "--device"));
  } catch (const Error&) {
    retell_model_error(folder);
  }
}

void retell_model_error(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  try {
    throw;
  } catch (const Error& error) {
    std::error_code unreachable;  // then nothing is known about the path
    if (error.code() != ExitCode::model) throw;
    if (folder.empty()) throw Error(ExitCode::model, {"model", "the path of a model folder", "an empty text", ""});
    if (fs::exists(folder / "recipe.toml", unreachable) && !fs::exists(folder / "llm_config.json", unreachable)) {
      const bool has_model = fs::is_directory(folder / "model", unreachable);
      throw Error(ExitCode::model,
                  {folder.string(), "a model folder", "a run folder",
                   has_model ? cat("use ", (folder / "model").string())
                             : cat("`diptych export ", folder.string(), "` makes a model of its last checkpoint")});
    }
    if (fs::exists(folder / "adapter_config.json", unreachable) && !fs::exists(folder / "llm_config.json", unreachable))
      throw Error(ExitCode::model, {folder.string(), "a model folder", "a folder of PEFT adapters, which are not read",
                                    "`diptych export` writes the merged model beside them, in the folder model"});
    if (fs::is_regular_file(folder, unreachable))
      throw Error(ExitCode::model, {folder.string(), "a model folder", "a file", "name the folder that holds it"});
    if (fs::exists(folder, unreachable) || unreachable || folder.is_absolute()) throw;
    throw error.with_line(cat("the path is relative to the current folder, ", fs::current_path().string()));
  }
}

}  // namespace diptych
