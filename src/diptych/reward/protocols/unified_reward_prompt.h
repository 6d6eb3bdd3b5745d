#pragma once
// Prompt of UnifiedReward's pointwise score, versions 1 and 1.5 (github.com/CodeGoat24/UnifiedReward; MIT, Copyright
// (c) 2025 Yibin Wang, LICENSES/UnifiedReward-MIT.txt), unmodified. {prompt} is filled in.

#include <string_view>

namespace diptych {

inline constexpr std::string_view kUnifiedRewardPrompt =
    R"(You are given a text caption and a generated image based on that caption. Your task is to evaluate this image based on two key criteria:
1. Alignment with the Caption: Assess how well this image aligns with the provided caption. Consider the accuracy of depicted objects, their relationships, and attributes as described in the caption.
2. Overall Image Quality: Examine the visual quality of this image, including clarity, detail preservation, color accuracy, and overall aesthetic appeal.
Extract key elements from the provided text caption, evaluate their presence in the generated image using the format: 'element (type): value' (where value=0 means not generated, and value=1 means generated), and assign a score from 1 to 5 after 'Final Score:'.
Your task is provided as follows:
Text Caption: [{prompt}])";

}  // namespace diptych
