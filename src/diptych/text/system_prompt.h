#pragma once
// The two system prompts of BAGEL's think mode, character for character (BAGEL, inferencer.py: GEN_THINK_SYSTEM_PROMPT
// and VLM_THINK_SYSTEM_PROMPT): the model was trained with them, the space ahead of the line break included.

#include <string_view>

namespace diptych {

/** Think, then generate an image. */
inline constexpr std::string_view kGenerationSystemPrompt =
    "You should first think about the planning process in the mind and then generate the image. \n"
    "The planning process is enclosed within <think> </think> tags, i.e. <think> planning process here </think> "
    "image here";

/** Think, then answer in words. */
inline constexpr std::string_view kUnderstandingSystemPrompt =
    "You should first think about the reasoning process in the mind and then provide the user with the answer. \n"
    "The reasoning process is enclosed within <think> </think> tags, i.e. <think> reasoning process here </think> "
    "answer here";

}  // namespace diptych
