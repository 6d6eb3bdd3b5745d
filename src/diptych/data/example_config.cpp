#include "diptych/data/example_config.h"

#include "diptych/base/error.h"
#include "diptych/data/example_file.h"

namespace diptych {

ExampleSource make_examples(const DataConfig& data, int64_t batch, uint64_t seed) {
  if (data.source == "shapes") return shapes_examples(shapes::World{}, data.mixture, seed);
  if (data.source == "shapes_pictures") return shapes_pictures(shapes::World{}, seed);
  if (data.path.empty())
    throw Error(ExitCode::config, {"data.path", "a JSON lines file, since data.source is jsonl", "nothing",
                                   "docs/data.md explains the format"});
  return jsonl_examples(data.path, batch, seed);
}

}  // namespace diptych
