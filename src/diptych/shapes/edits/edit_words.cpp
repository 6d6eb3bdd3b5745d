#include <map>
#include <sstream>

#include "diptych/base/text_format.h"
#include "diptych/shapes/edits/edit.h"
#include "diptych/shapes/world/caption.h"

namespace diptych::shapes {

namespace {

constexpr std::array<std::string_view, 4> kPlaces = {"top left", "top right", "bottom left", "bottom right"};
constexpr int kCells = static_cast<int>(kPlaces.size());

std::string look_words(Shape shape, Colour colour) {
  return noun_phrase({shape, colour}, false);
}

/** Calls add(shape, colour) for every look. */
template <class Add>
void for_each_look(const Add& add) {
  for (size_t shape = 0; shape < kShapeNames.size(); ++shape)
    for (size_t colour = 0; colour < kColourNames.size(); ++colour)
      add(static_cast<Shape>(shape), static_cast<Colour>(colour));
}

/** Edits of one object of the given look. */
std::vector<Edit> edits_of(EditKind kind, Shape shape, Colour colour) {
  const Edit edit{.kind = kind, .shape = shape, .colour = colour};
  std::vector<Edit> edits;
  const auto add_variant = [&]() -> Edit& { return edits.emplace_back(edit); };
  switch (kind) {
    case EditKind::add:
      for (int cell = -1; cell < kCells; ++cell) add_variant().cell = cell;
      break;
    case EditKind::remove:
      add_variant();
      break;
    case EditKind::recolour:
      for (size_t other = 0; other < kColourNames.size(); ++other)
        if (static_cast<Colour>(other) != colour) add_variant().new_colour = static_cast<Colour>(other);
      break;
    case EditKind::move:
      for (int cell = 0; cell < kCells; ++cell) add_variant().cell = cell;
      break;
    case EditKind::replace:
      for_each_look([&](Shape new_shape, Colour new_colour) {
        if (new_shape == shape && new_colour == colour) return;
        Edit& variant = add_variant();
        variant.new_shape = new_shape;
        variant.new_colour = new_colour;
      });
      break;
    case EditKind::resize:
      for (size_t size = 0; size < kSizeNames.size(); ++size) add_variant().size = static_cast<Size>(size);
      break;
    case EditKind::background:
      break;
  }
  return edits;
}

std::vector<Edit> enumerate_edits(EditKind kind) {
  std::vector<Edit> edits;
  if (kind == EditKind::background) {
    for (size_t background = 0; background < kBackgroundNames.size(); ++background)
      edits.push_back({.kind = kind, .background = static_cast<Background>(background)});
    return edits;
  }
  for_each_look([&](Shape shape, Colour colour) {
    const std::vector<Edit> variants = edits_of(kind, shape, colour);
    edits.insert(edits.end(), variants.begin(), variants.end());
  });
  return edits;
}

/** Single spaces, and "the" for every article. */
std::string normal_form(std::string_view text) {
  std::vector<std::string> words;
  std::istringstream stream{std::string(text)};
  for (std::string word; stream >> word;) words.push_back(word == "a" || word == "an" ? "the" : word);
  return join(words, " ");
}

std::map<std::string, Edit, std::less<>> plain_wordings() {
  std::map<std::string, Edit, std::less<>> table;
  for (size_t kind = 0; kind < kEditKindNames.size(); ++kind)
    for (const Edit& edit : all_edits(static_cast<EditKind>(kind))) table.emplace(normal_form(instruction(edit)), edit);
  return table;
}

}  // namespace

const std::vector<Edit>& all_edits(EditKind kind) {
  static const auto table = [] {
    std::array<std::vector<Edit>, kEditKindNames.size()> edits;
    for (size_t index = 0; index < edits.size(); ++index) edits[index] = enumerate_edits(static_cast<EditKind>(index));
    return edits;
  }();
  return table.at(static_cast<size_t>(kind));
}

std::string_view place_words(int cell) {
  return kPlaces.at(cell);
}

std::string instruction(const Edit& edit) {
  return wordings(edit).front();
}

std::vector<std::string> wordings(const Edit& edit) {
  const std::string look = look_words(edit.shape, edit.colour);
  switch (edit.kind) {
    case EditKind::add: {
      const std::string added = cat(with_article(look), edit.cell < 0 ? "" : cat(" at the ", place_words(edit.cell)));
      return {cat("add ", added), cat("draw ", added), cat("insert ", added)};
    }
    case EditKind::remove:
      return {cat("remove the ", look), cat("delete the ", look), cat("take away the ", look)};
    case EditKind::recolour: {
      const std::string_view colour = to_string(edit.new_colour);
      return {cat("change the color of the ", look, " to ", colour), cat("paint the ", look, ' ', colour),
              cat("turn the ", look, ' ', colour)};
    }
    case EditKind::move: {
      const std::string_view place = place_words(edit.cell);
      return {cat("move the ", look, " to the ", place), cat("bring the ", look, " to the ", place),
              cat("put the ", look, " at the ", place)};
    }
    case EditKind::replace: {
      const std::string new_look = with_article(look_words(edit.new_shape, edit.new_colour));
      return {cat("replace the ", look, " with ", new_look), cat("turn the ", look, " into ", new_look),
              cat("change the ", look, " to ", new_look)};
    }
    case EditKind::resize:
      if (edit.size == Size::small)
        return {cat("make the ", look, " smaller"), cat("shrink the ", look), cat("reduce the size of the ", look)};
      return {cat("make the ", look, " bigger"), cat("enlarge the ", look), cat("increase the size of the ", look)};
    case EditKind::background: {
      const std::string_view background = kBackgroundNames[static_cast<size_t>(edit.background)];
      return {cat("change the background to ", background), cat("make the background ", background),
              cat("turn the background ", background)};
    }
  }
  return {};
}

std::optional<Edit> parse_instruction(std::string_view text) {
  static const std::map<std::string, Edit, std::less<>> table = plain_wordings();
  const auto found = table.find(normal_form(text));
  if (found == table.end()) return std::nullopt;
  return found->second;
}

}  // namespace diptych::shapes
