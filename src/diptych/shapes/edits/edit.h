#pragma once
// Edits of scenes: what they say, what they do, and the exact verdict on an edited picture. The seven kinds are the
// part of GEdit-Bench's eleven task types that the shapes world can show. Places are the four corners, so the world
// must have 2 x 2 cells.

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "diptych/base/rng.h"
#include "diptych/io/image/image.h"
#include "diptych/shapes/prompts/prompts.h"
#include "diptych/shapes/world/scene.h"

namespace diptych::shapes {

enum class EditKind { add, remove, recolour, move, replace, resize, background };

inline constexpr std::array<std::string_view, 7> kEditKindNames = {"add",     "remove", "recolour",  "move",
                                                                   "replace", "resize", "background"};

/** One change of a scene. Fields that its kind does not name are ignored. */
struct Edit {
  EditKind kind = EditKind::add;
  Shape shape = Shape::circle;  // the object that is added, removed, recoloured, moved, replaced or resized
  Colour colour = Colour::red;
  Shape new_shape = Shape::circle;  // replace
  Colour new_colour = Colour::red;  // recolour, replace
  int cell = 0;                     // move: where to; add: where to, -1 for any free cell
  Size size = Size::normal;         // resize: to this size
  Background background = Background::plain;

  bool operator==(const Edit&) const = default;
};

/** Every edit of the kind, fields that the kind does not name at their defaults. */
const std::vector<Edit>& all_edits(EditKind kind);

/** "top left" and so on, of a world of 2 x 2 cells. */
std::string_view place_words(int cell);

/** The edit in its plain words: "add a red circle", "remove the red circle", "move the red circle to the top left". */
std::string instruction(const Edit& edit);

/** Every wording of the edit that prompts use, the plain one first. */
std::vector<std::string> wordings(const Edit& edit);

/** Reads a plain wording back, "a", "an" and "the" for one another; nullopt for any other text. */
std::optional<Edit> parse_instruction(std::string_view text);

/** Index of the first object of this look; nullopt if there is none. */
std::optional<size_t> find_object(const Scene& scene, Shape shape, Colour colour);

/** Cells without an object, in their order. */
std::vector<int> free_cells(const Scene& scene, const World& world);

/** Whether the scene has what the edit speaks of, room for what it adds, and would change. */
bool applicable(const Edit& edit, const Scene& scene, const World& world);

/** The edited scene: the first object that fits the description changes, everything else stays as it is; a replaced
 *  object hands on its place and size, a moved one its offset. The free cell and the offset of an added object are
 *  drawn from the stream. The edit must be applicable. */
Scene apply_edit(const Edit& edit, const Scene& scene, const World& world, Stream& stream);

/** A picture to edit and what must come out. */
struct EditTask {
  Edit edit;
  std::string text;  // one of its wordings
  Scene source;
};

/** Edits are held out by a hash of what they say, about 70 / 15 / 15 %, so that validation and test ask for edits that
 *  no training example shows. There are too few backgrounds for that: a background is held out together with the
 *  objects that it is put behind. */
Split split_of(const EditTask& task);

/** A random task of the kind that belongs to the split. No two objects of its source look alike, nor would any do so
 *  after the edit, so that the words are unambiguous; most objects are of normal size, most backgrounds plain. Throws
 *  Error(config) unless the world has 2 x 2 cells. */
EditTask sample_edit(Stream& stream, Split split, EditKind kind, const World& world);

/** `size` tasks for evaluation, kinds in turn. */
std::vector<EditTask> edit_pool(Split split, int size, uint64_t seed, const World& world);

struct EditVerdict {
  bool correct = false;              // the edit was made and nothing else changed
  double followed = 0;               // [0, 1], soft: what was asked for is there (GEdit's semantic consistency)
  double preserved = 0;              // [0, 1], soft: share of everything else that is as it was
  double quality = 0;                // [0, 1], soft: clean outlines and even fills (GEdit's perceptual quality)
  std::vector<std::string> reasons;  // one sentence a fault; empty if and only if correct
  /** sqrt(min(followed, preserved) * quality), the form of GEdit's overall score (VIEScore). */
  double overall() const;
};

/** The verdict on an edited picture. Positions count by cell. */
EditVerdict verify_edit(const Image& image, const EditTask& task, const World& world);

}  // namespace diptych::shapes
