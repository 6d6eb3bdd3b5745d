#include "diptych/data/example_config.h"

#include "diptych/base/error.h"
#include "diptych/data/example_file.h"

namespace diptych {

void visit(ConfigFields& fields, DataConfig& data) {
  fields.choice("source", data.source, {"shapes", "shapes_pictures", "jsonl"},
                "shapes: the built-in world; shapes_pictures: its pictures without words, for the autoencoder; jsonl: "
                "the file in data.path");
  fields("path", data.path, "JSON lines with prompt, thinking, image, sources (docs/data.md)", Change::files);
  ShapesMixture& mixture = data.mixture;
  fields.range("paint_share", mixture.paint, 0, 1,
               "shapes: share of examples that paint a prompt; of the sum of shares", Change::recorded);
  fields.range("think_share", mixture.think, 0, 1, "shapes: share that thinks before it paints", Change::recorded);
  fields.range("question_share", mixture.question, 0, 1, "shapes: share that answers a question about a picture",
               Change::recorded);
  fields.range("rating_share", mixture.rating, 0, 1, "shapes: share that rates a whole picture", Change::recorded);
  fields.range("edit_share", mixture.edit, 0, 1, "shapes: share that edits a picture", Change::recorded);
  fields.range("reflect_share", mixture.reflect, 0, 1, "shapes: share that repairs a picture, told that it is wrong",
               Change::recorded);
  fields.range("review_share", mixture.review, 0, 1, "shapes: share that checks a picture and repairs it or says done",
               Change::recorded);
}

ExampleSource make_examples(const DataConfig& data, int64_t batch, uint64_t seed) {
  if (data.source == "shapes") return shapes_examples(shapes::World{}, data.mixture, seed);
  if (data.source == "shapes_pictures") return shapes_pictures(shapes::World{}, seed);
  if (data.path.empty())
    throw Error(ExitCode::config, {"data.path", "a JSON lines file, since data.source is jsonl", "nothing",
                                   "docs/data.md explains the format"});
  return jsonl_examples(data.path, batch, seed);
}

}  // namespace diptych
