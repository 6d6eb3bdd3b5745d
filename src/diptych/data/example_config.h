#pragma once
// Where supervised examples come from.

#include <string>

#include "diptych/data/example.h"

namespace diptych {

struct DataConfig {
  std::string source = "shapes";
  std::string path;
  double think_share = 0.6;
};

template <class Fields>
void visit(Fields& fields, DataConfig& data) {
  fields.choice("source", data.source, {"shapes", "jsonl"}, "shapes: the built-in world; jsonl: the file in data.path");
  fields("path", data.path, "JSON lines with prompt, thinking, image, sources (docs/data.md)");
  fields.range("think_share", data.think_share, 0, 1, "shapes: share of examples that think before they paint");
}

/** The examples that the config names. Throws Error(data) for a file that does not check. */
ExampleSource make_examples(const DataConfig& data, int64_t batch, uint64_t seed);

}  // namespace diptych
