#pragma once
// The packs that a recipe makes, as segments without values: the code that lays out real packs lays out these.

#include <optional>

#include "diptych/rollout/stage.h"
#include "diptych/train/update/update_options.h"

namespace diptych {

struct PlanOptions {
  int64_t ranks = 1;
  int64_t prompt_tokens = 64;  // of a request, without its two markers
  int64_t think_tokens = -1;   // expected of a thought, -1: rollout.max_think_tokens. Sampling takes the cap for memory
  int64_t picture_pixels = -1;   // side of a supervised example's pictures, -1: the largest that the model takes
  int64_t source_pictures = -1;  // in front of a supervised example, -1: 1 where the shapes world edits, else 0
};

inline constexpr int64_t kTextMarkers = 2;  // im_start and im_end around a text

/** What one rank does in a rollout step. */
struct Workload {
  EpisodeOptions episode;
  StageContext context;  // of the episode's last stage, which is the longest
  StageProgram stage;    // that stage
  Guidance guidance;
  ReplayOptions replay;
  bool penalised = false;       // compared with the reference, in a phase before the updates
  bool replays_old = false;     // old values come from a pass of their own
  bool shares_context = false;  // the chains of a group have one context
  int64_t stages = 1;           // of an episode that stops last
  int64_t group_size = 1;
  int64_t chains = 0;        // of the rank with most, each stage one
  int64_t grid = 0;          // latent tokens per side of an image
  int64_t think_tokens = 0;  // expected
  int64_t channels = 0;      // numbers per latent token

  int64_t latent_tokens() const { return grid * grid; }
};

/** Throws Error(config) for a window, an episode or an image size that training refuses, Error(usage) for thoughts of
 * an expected length that none has. */
Workload workload_of(const ModelConfig& config, const RlRecipe& recipe, const PlanOptions& options);

/** Sampling the pictures that a rank's prompts start from, where the recipe's episode makes them itself (reflect),
 * once: further draws of prompts are not in it. */
std::optional<Workload> first_pictures(const ModelConfig& config, const RlRecipe& recipe, const PlanOptions& options);

/** Of the ranks, those that no prompt of a step falls to. */
int64_t idle_ranks(const RlRecipe& recipe, const PlanOptions& options);

/** Tokens of a text that stands in the recipe, roughly. */
int64_t planned_tokens(const std::string& text);

/** Segments without values: a given text of so many tokens and its markers, an image to look at of so many pixels a
 * side, an image to paint. */
void append_planned_text(std::vector<Segment>& chain, int64_t tokens);
void append_planned_image(std::vector<Segment>& chain, const ModelConfig& config, int64_t pixels);
Segment planned_noisy_image(int64_t grid, int64_t parent);

/** Latent tokens per side of a picture that the model resizes by its rules. */
int64_t planned_grid(const ModelConfig& config, int64_t pixels);

/** Puts a chain of segments into the pack and returns the place of its last one, -1 for an empty chain. */
int64_t add_chain(std::vector<Segment>& pack, const std::vector<Segment>& chain);

/** The pack of a replay or an update of so many chains, in the order of rollout/replay.cpp. */
std::vector<Segment> update_pack(const Workload& work, int64_t chains, int64_t think_tokens);

/** Contexts of so many chains, before anything is sampled. */
std::vector<Segment> prefill_pack(const Workload& work, int64_t chains);

/** One step of sampling texts that have `think_tokens` behind their context. */
std::vector<Segment> decode_pack(const Workload& work, int64_t chains, int64_t think_tokens);

/** One denoising step at flow time `time`, with the branches of guidance. */
std::vector<Segment> denoise_pack(const Workload& work, int64_t chains, int64_t think_tokens, double time);

/** Tokens of a chain of segments. */
int64_t token_count(const std::vector<Segment>& chain);

/** Layout of a pack. cache_rows: in front of it, -1 without a cache. */
PackLayout lay_out(const std::vector<Segment>& pack, int64_t cache_rows = -1);

}  // namespace diptych
