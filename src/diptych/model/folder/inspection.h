#pragma once
// What a model folder holds, from its config files and the headers of its weight files. No weight is read.

#include <optional>
#include <set>

#include "diptych/model/bagel/bagel.h"
#include "diptych/model/folder/weight_differences.h"

namespace diptych {

/** Tensors of one part of the model. */
struct ComponentSummary {
  std::string name;
  int64_t tensors = 0;  // in the file
  int64_t parameters = 0;
  int64_t bytes = 0;
  std::set<std::string> dtypes;
  int64_t expected_tensors = 0;  // by the configuration; 0 if it cannot be read
  int64_t expected_parameters = 0;
};

/** A weight file. */
struct WeightFileSummary {
  std::string name;
  std::string fault;                         // why it cannot be read; empty if it can
  std::vector<ComponentSummary> components;  // those that the file or the configuration has
  std::vector<WeightDifference> differences;
};

struct TokenizerSummary {
  int64_t size = 0;  // tokens
  SpecialTokens special;
};

struct FolderSummary {
  std::optional<ModelConfig> config;
  std::optional<TokenizerSummary> tokenizer;
  std::vector<WeightFileSummary> files;  // of the transformer, of the autoencoder
  std::vector<std::string> faults;       // of configuration and tokenizer
};

/** Looks at whatever is there: a file that is missing or damaged becomes a fault. Throws Error(model) only if there is
 * no such folder. */
FolderSummary inspect_folder(const std::filesystem::path& folder);

/** Faults, and files with a fault or differences. */
int64_t problem_count(const FolderSummary& summary);

/** The part of the model that a weight belongs to: "word embedding", "generation expert", "autoencoder", ... */
std::string component_of(const std::string& weight);

}  // namespace diptych
