#include "diptych/tensor/torch.h"

#include "diptych/io/files.h"
#include "diptych/train/run/checkpoint.h"
#include "fuzz/target.h"

namespace diptych::fuzz {

namespace fs = std::filesystem;

namespace {

constexpr int64_t kStep = 7;

/** A run folder with one checkpoint, in which a reader finds `changed` in the place of one file. */
const fs::path& run_folder() {
  static const fs::path run = [] {
    const std::vector<NamedTensor> weights = {{"weight", at::ones({2, 3})}};
    const std::vector<NamedTensor> moments = {{"step", at::full({1}, kStep, at::kLong)}};
    TrainState state;
    state.step = kStep;
    save_checkpoint(scratch_folder() / "run", state, weights, moments, 1);
    return scratch_folder() / "run";
  }();
  return run;
}

const std::string kFolder = "run/checkpoints/step_000007/";

void load() {
  const std::optional<LoadedCheckpoint> loaded = load_latest(run_folder());
  require(loaded && loaded->weights.at("weight").numel() == 6, "a checkpoint that is there was not found");
}

void read_manifest(std::span<const std::byte> bytes) {
  run_folder();
  scratch_file(kFolder + "manifest.json", bytes);
  load();
}

void read_latest(std::span<const std::byte> bytes) {
  run_folder();
  scratch_file("run/checkpoints/LATEST", bytes);
  load();
}

/** With a manifest that vouches for the changed file. */
void read_state(std::span<const std::byte> bytes) {
  static const std::string manifest = (run_folder(), read_file(scratch_folder() / kFolder / "manifest.json"));
  nlohmann::json changed = nlohmann::json::parse(manifest);
  changed["files"]["state.json"] = {{"bytes", bytes.size()}, {"xxh3", hash_bytes(as_text(bytes))}};
  scratch_file(kFolder + "state.json", bytes);
  scratch_file(kFolder + "manifest.json", changed.dump());
  load();
}

const std::vector<std::string_view> kCheckpointWords = {
    "\"step\"",          "\"files\"",      "\"bytes\"",    "\"xxh3\"",  "\"format_version\"",
    "\"manifest.json\"", "\"state.json\"", "\"counters\"", "\"extra\"", "\"threads\"",
    "step_000007",       "step_",          "../",          "1e300",     "-1"};

}  // namespace

std::vector<Target> checkpoint_targets() {
  return {{.name = "checkpoint_manifest", .read = read_manifest, .words = kCheckpointWords},
          {.name = "checkpoint_latest", .read = read_latest, .words = kCheckpointWords},
          {.name = "checkpoint_state", .read = read_state, .words = kCheckpointWords}};
}

}  // namespace diptych::fuzz
