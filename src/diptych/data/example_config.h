#pragma once
// Where supervised examples come from.

#include <string>

#include "diptych/base/config/config_fields.h"
#include "diptych/data/example.h"

namespace diptych {

struct DataConfig {
  std::string source = "shapes";
  std::string path;
  ShapesMixture mixture;
};

void visit(ConfigFields& fields, DataConfig& data);

/** The examples that the config names. Throws Error(data) for a file that does not check. */
ExampleSource make_examples(const DataConfig& data, int64_t batch, uint64_t seed);

}  // namespace diptych
