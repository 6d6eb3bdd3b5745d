#pragma once
// Small run folders for tests of reports.

#include <algorithm>
#include <filesystem>
#include <string>

#include "diptych/io/files.h"
#include "diptych/io/image/image.h"
#include "diptych/report/run_data/evaluation_grid.h"

namespace diptych {

inline Image plain_image(int side, uint8_t value) {
  return {side, side, std::vector<uint8_t>(static_cast<size_t>(side * side * 3), value)};
}

/** A picture in a frame of one pixel, as evaluations draw it. */
inline Image framed_image(const Image& image, uint8_t frame) {
  Image framed = plain_image(image.width + 2, frame);
  for (int row = 0; row < image.height; ++row)
    std::copy_n(image.pixels.begin() + row * image.width * 3, image.width * 3,
                framed.pixels.begin() + ((row + 1) * framed.width + 1) * 3);
  return framed;
}

inline std::string metric_lines(int steps) {
  std::string lines;
  for (int step = 0; step <= steps; ++step)
    lines += "{\"step\":" + std::to_string(step) + ",\"reward/mean\":" + std::to_string(0.5 + 0.01 * step) +
             ",\"time/step\":1.5,\"own/metric\":" + std::to_string(step % 3) + "}\n";
  return lines;
}

/** An evaluation of four prompts, of which the first `right` are right. */
inline void write_evaluation(const std::filesystem::path& run, int step, size_t right, const std::string& thought) {
  std::string lines;
  std::vector<Image> cells;
  for (size_t i = 0; i < 4; ++i) {
    lines += "{\"prompt\":\"prompt " + std::to_string(i) + "\",\"correct\":" + (i < right ? "true" : "false") +
             ",\"thinking\":\"<think> " + thought + " </think> x\"}\n";
    cells.push_back(framed_image(plain_image(4, static_cast<uint8_t>(50 * i)), 200));
  }
  const std::string name = step == 0 ? "step_000000" : "step_00000" + std::to_string(step);
  make_folder(run / "eval");
  write_file_atomic(run / "eval" / (name + ".jsonl"), lines);
  write_png(run / "eval" / (name + ".png"), image_grid(cells, kGridColumns, kGridGap, kGridScale));
}

inline std::string stage_line(int group, int sample, int round, double reward, const std::string& image) {
  return "{\"prompt\":\"a red ring\",\"group\":" + std::to_string(group) + ",\"sample\":" + std::to_string(sample) +
         ",\"round\":" + std::to_string(round) + ",\"texts\":[\"thought " + std::to_string(sample) +
         "\"],\"end\":\"painted\",\"valid\":true,\"reward\":" + std::to_string(reward) +
         ",\"score\":" + std::to_string(reward) + ",\"advantage\":0.5,\"image\":\"" + image +
         "\",\"checks\":[{\"name\":\"s1\",\"value\":0.9}],\"questions\":[{\"id\":\"s1\",\"text\":\"Is it red?\"}]}\n";
}

/** A whole run of reinforcement training with evaluations at steps 0 and 5 and a record of step 5. */
inline void write_run(const std::filesystem::path& run) {
  make_folder(run / "rollouts" / "step_000005");
  write_file_atomic(run / "recipe.toml",
                    "kind = \"rl\"\nmodel = \"base\"\n[train]\nsteps = 5\nrecord_every = 5\n"
                    "und_learning_rate = 6e-05\n[rollout]\nepisode = \"think\"\n[eval]\nprompts = 2\n");
  write_file_atomic(run / "metrics.jsonl", metric_lines(5));
  write_evaluation(run, 0, 1, "before words");
  write_evaluation(run, 5, 3, "after words");
  write_png(run / "rollouts" / "step_000005" / "a.png", plain_image(4, 7));
  write_file_atomic(run / "rollouts" / "step_000005.jsonl", stage_line(0, 0, 0, 0.25, "step_000005/a.png") +
                                                                stage_line(0, 1, 0, 0.75, "step_000005/a.png") +
                                                                stage_line(0, 2, 0, 0.5, "step_000005/a.png"));
}

}  // namespace diptych
