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

// The next two are ours; {prompt} stands for the request.

/** Told that its picture failed, the model names real faults; asked to verify it, it tends to approve (AlphaGRPO, pilot
 *  study). So reflection presumes failure. */
inline constexpr std::string_view kReflectionPrompt =
    "The image above is your attempt at this request: {prompt}\n"
    "The attempt failed: it does not show what was requested. In your thinking, name what is wrong with it. Then write "
    "the editing instruction that repairs it, and generate the repaired image.";

/** The model decides whether it is done. */
inline constexpr std::string_view kReviewPrompt =
    "The image above is your attempt at this request: {prompt}\n"
    "In your thinking, compare it with the request. If it shows all that was requested, answer with the single word "
    "done. Otherwise write the editing instruction that repairs it, and generate the repaired image.";

}  // namespace diptych
