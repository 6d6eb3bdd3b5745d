#pragma once
// What the four stages of decomposition say to the language model (AlphaGRPO, arXiv 2605.12495). The texts are files
// that a user can edit.

#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "diptych/reward/chat/chat.h"

namespace diptych {

enum class DecomposeStage { generate, validate, tag, quality };

inline constexpr std::array<std::string_view, 4> kDecomposeStageNames = {"generate", "validate", "tag", "quality"};

constexpr std::string_view to_string(DecomposeStage stage) {
  return kDecomposeStageNames[static_cast<size_t>(stage)];
}

/** One text per stage, indexed by DecomposeStage. `{prompt}` stands for the prompt and, in all but `generate`,
 *  `{questions}` for the semantic questions as a JSON array of {"number", "question"}. */
using DecomposeTemplates = std::array<std::string, 4>;

/** Reads generate.txt, validate.txt, tag.txt and quality.txt. Throws Error(io) for a missing file and Error(config) for
 *  one that lacks a placeholder or has an unknown one. */
DecomposeTemplates read_decompose_templates(const std::filesystem::path& folder);

/** The request of a stage: one user message. Sampling: generate and quality T = 0.6, top_p = 0.9; validate and tag
 *  T = 0.3 (the paper's values for validate and quality; the other two are ours). A prompt that is asked again takes
 *  another seed. */
ChatRequest decompose_request(DecomposeStage stage, const DecomposeTemplates& templates, const std::string& prompt,
                              const std::vector<std::string>& questions, int64_t seed);

}  // namespace diptych
