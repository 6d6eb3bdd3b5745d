#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace diptych {

struct ShowOptions {
  std::filesystem::path out = "shapes.png";
  std::string split = "train";  // train, validation or test
  uint64_t seed = 0;
  int scale = 4;  // side of the square that shows one pixel
};

/** `diptych shapes show`: writes a contact sheet with one row of scenes per family of prompts, and prints the prompt,
 *  the thinking and the refined caption of the first scene of each row. Throws Error(usage) for an unknown split or a
 *  scale outside 1 to 32, and Error(io). */
int shapes_show_command(const ShowOptions& options);

/** `diptych shapes verify IMAGE PROMPT`: prints what the verifier sees and its verdict. Returns 0 if the picture is
 * what the prompt asks for and ExitCode::mismatch if not. The prompt is one of the world's prompts or a caption ("a
 * photo of" may precede it). Throws Error(data) for any other prompt, an unreadable image, or one of the wrong size. */
int shapes_verify_command(const std::filesystem::path& image, const std::string& prompt);

}  // namespace diptych
