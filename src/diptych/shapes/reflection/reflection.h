#pragma once
// The words in which a picture is compared with what it was made for:
//   <think> the picture shows one red circle . a tricycle has three wheels . it needs three red circles . </think>
//   add a red circle , add a red circle
// first what is there, then what is needed, then the edits that repair it, or "done" if nothing is wrong.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "diptych/shapes/edits/edit.h"
#include "diptych/shapes/world/request.h"

namespace diptych::shapes {

inline constexpr size_t kMostWrittenEdits = 4;
inline constexpr std::string_view kDone = "done";

/** The instruction that tells the model that its picture failed (alphagrpo.md 5.1). `prompt` is what the user typed. */
std::string reflection_prompt(std::string_view prompt);

/** The instruction that leaves open whether anything is wrong. */
std::string review_prompt(std::string_view prompt);

/** What the scene shows, in reading order: one clause for each look, with shape and colour. A scene of two unlike
 *  objects gets their position if `request` has one: the request's if it holds, and the subject first. */
Request describe(const Scene& scene, const Request& request, const World& world);

/** `fact` is a sentence with its " .", or empty. Without edits the answer is "done"; at most kMostWrittenEdits. */
std::string reflection_text(const Request& shown, std::string_view fact, const Request& wanted,
                            const std::vector<Edit>& edits);

struct Reflection {
  std::optional<Request> shown;   // what the text says the picture shows; no clauses for "nothing"
  std::optional<Request> wanted;  // what it says is needed
  std::vector<Edit> edits;        // those that can be read
  bool done = false;              // says_done
  bool well_formed = false;       // all parts are there, and "done" or one to kMostWrittenEdits edits, all readable
};

/** Reads a reflection that a model wrote. */
Reflection parse_reflection(std::string_view text);

/** An explicit stop: one <think>, one </think> after it, and then exactly "done". Any other text is no stop. */
bool says_done(std::string_view text);

}  // namespace diptych::shapes
