#pragma once
// The prompts of the shapes world: families, splits, and draws from them.
//
// Explicit families are GenEval's six tags, with shapes for classes: single_object, two_object, counting, colors,
// position, color_attr. Implicit families need thinking: implicit_color, implicit_count, implicit_shape (what a thing
// looks like) and reversed_position ("a circle that has a square to its left").

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "diptych/base/rng.h"
#include "diptych/shapes/world/request.h"

namespace diptych::shapes {

struct Prompt {
  std::string text;  // what the user types: "a photo of as many squares as a tricycle has wheels"
  std::string family;
  bool implicit = false;  // needs thinking
  Request request;        // what the picture must hold, in truth
  std::string refined;    // caption of the request: "three squares"
  std::string reasoning;  // the right thought: "a tricycle has three wheels ."
  int fact = -1;          // index into facts(); -1 for explicit prompts
};

enum class Split { train, validation, test };

/** Names of the explicit or the implicit families, in the order of the header comment. */
const std::vector<std::string>& families(bool implicit);

/** The explicit families, then the implicit ones. */
const std::vector<std::string>& all_families();

/** Throws Error(config) unless there is a family of this name. */
void check_family(std::string_view family);

/** Every prompt of the family, over all splits, texts unique. Throws Error(config) for an unknown family. */
std::vector<Prompt> enumerate_family(std::string_view family);

/** What a split holds out: the family, the thing of its fact, and the pictures asked for. Prompts with equal
 *  combinations ("a circle and a square", "a square and a circle") lie in the same split. */
std::string combination(const Prompt& prompt);

/** The family's prompts in the split, texts unique, in a fixed order. Combinations are ordered by a hash and dealt out
 *  70 / 15 / 15 % (at least one each to validation and test), for every count and every thing apart, so that train
 * knows every fact. Throws Error(config) for an unknown family. */
const std::vector<Prompt>& all_prompts(Split split, std::string_view family);

/** What a prompt of any family and split, or a caption, asks for; nullopt for any other text. */
std::optional<Request> find_request(std::string_view text);

/** A family drawn uniformly from `names`, then one of its prompts uniformly. */
const Prompt& sample_prompt(Stream& stream, Split split, const std::vector<std::string>& names);

/** `size` prompts for evaluation, families taken in turn, so that every beginning of the pool is balanced. Within a
 *  family the order is a shuffle keyed by the seed; prompts repeat only after all of the split were used. */
std::vector<Prompt> evaluation_pool(Split split, bool implicit, int size, uint64_t seed);

}  // namespace diptych::shapes
