#pragma once
// Episodes as small programs: what each stage is given, and whether it writes and paints. Their names:
// rollout/episodes/episodes.h.

#include <string>
#include <vector>

namespace diptych {

/** A part of what a stage is given. */
enum class GivenPart {
  system_prompt,      // skipped where it is empty
  request,            // the user's words: prompt, instruction or question
  images,             // the user's images, or what the stage before painted
  reflection_prompt,  // tells the model that its picture failed the request, and asks for a repair
  review_prompt,      // asks the model to check its picture, and to repair it or to stop
};

struct StageProgram {
  std::vector<GivenPart> given;
  bool write = false;     // sample a text: thinking, reflection, answer
  bool paint = false;     // then sample an image
  bool may_stop = false;  // a text that says so ends the episode in place of an image
};

/** The stages in order; later ones need the image of the one before. Every stage starts a context of its own, so that
 *  contexts do not grow with the rounds (as in AlphaGRPO and R3). */
struct EpisodeProgram {
  std::string name;
  std::vector<StageProgram> stages;
  bool edits = false;  // changes the user's images as the request says
};

/** Whether the program is given images by the user. */
bool needs_images(const EpisodeProgram& program);

/** Whether any stage samples a text. */
bool writes(const EpisodeProgram& program);

/** Whether any stage samples an image. */
bool paints(const EpisodeProgram& program);

}  // namespace diptych
