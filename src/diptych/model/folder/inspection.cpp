#include "diptych/tensor/torch.h"

#include "diptych/model/folder/inspection.h"

#include <algorithm>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/model/folder/folder.h"
#include "diptych/model/folder/load_weights.h"

namespace diptych {

namespace {

constexpr const char* kUnknown = "unknown";

// In the order of the table.
const std::vector<std::string> kComponents = {"word embedding",
                                              "understanding expert",
                                              "generation expert",
                                              "text head",
                                              "time embedder",
                                              "connectors",
                                              "ViT",
                                              "position tables",
                                              "autoencoder",
                                              kUnknown};

int64_t count_of(at::IntArrayRef shape) {
  return c10::multiply_integers(shape);
}

/** Sets `value` to what `read` returns, or adds its error to the faults. */
template <class Value, class Read>
void read_or_note(std::optional<Value>& value, std::vector<std::string>& faults, const Read& read) {
  try {
    value = read();
  } catch (const Error& error) {
    faults.push_back(error.what());
  }
}

/** Weights that could be opened, or why not. */
struct OpenedWeights {
  std::string name;  // of the file
  std::optional<StoredWeights> weights;
  std::string fault;
};

template <class Open>
OpenedWeights open_or_note(const std::string& usual_name, const Open& open) {
  try {
    const StoredWeights weights = open();
    return {weights.path().filename().string(), weights, ""};
  } catch (const Error& error) {
    return {usual_name, std::nullopt, error.what()};
  }
}

WeightFileSummary summarise(const OpenedWeights& opened, const std::vector<ParameterSlot>& slots) {
  WeightFileSummary summary;
  summary.name = opened.name;
  summary.fault = opened.fault;
  std::map<std::string, ComponentSummary> components;
  for (const ParameterSlot& slot : slots) {
    ComponentSummary& component = components[component_of(slot.name)];
    ++component.expected_tensors;
    component.expected_parameters += slot.tensor->numel();
  }
  if (opened.weights) {
    const std::map<std::string, StoredTensor>& stored = opened.weights->tensors();
    const std::vector<std::string> skipped = skipped_buffers(stored, slots);
    warn_of_skipped(opened.weights->path(), skipped);
    for (const auto& [name, tensor] : stored) {
      if (std::find(skipped.begin(), skipped.end(), name) != skipped.end()) continue;
      ComponentSummary& component = components[component_of(name)];
      ++component.tensors;
      component.parameters += count_of(tensor.shape);
      component.bytes += static_cast<int64_t>(tensor.bytes.size());
      component.dtypes.insert(tensor.dtype);
    }
    if (!slots.empty()) summary.differences = weight_differences(stored, slots);
  }
  for (const std::string& name : kComponents) {
    const auto found = components.find(name);
    if (found == components.end()) continue;
    found->second.name = name;
    summary.components.push_back(found->second);
  }
  return summary;
}

TokenizerSummary inspect_tokenizer(const std::filesystem::path& folder) {
  const Tokenizer tokenizer = Tokenizer::load(folder);
  return {tokenizer.size(), special_tokens(tokenizer)};
}

}  // namespace

std::string component_of(const std::string& weight) {
  const auto begins = [&](std::string_view prefix) { return weight.starts_with(prefix); };
  if (begins("language_model.model.embed_tokens.")) return "word embedding";
  if (begins("language_model.lm_head.")) return "text head";
  if (begins("language_model.model."))
    return weight.find("_moe_gen") == std::string::npos ? "understanding expert" : "generation expert";
  if (begins("time_embedder.")) return "time embedder";
  if (begins("vae2llm.") || begins("llm2vae.") || begins("connector.")) return "connectors";
  if (begins("vit_model.")) return "ViT";
  if (weight.ends_with("_pos_embed.pos_embed")) return "position tables";
  if (begins("encoder.") || begins("decoder.")) return "autoencoder";
  return kUnknown;
}

FolderSummary inspect_folder(const std::filesystem::path& folder) {
  if (!std::filesystem::is_directory(folder))
    throw Error(ExitCode::model, {folder.string(), "a model folder or a .safetensors file", "no such folder", ""});
  FolderSummary summary;
  read_or_note(summary.config, summary.faults, [&] { return load_model_config(folder); });
  OpenedWeights transformer = open_or_note("ema.safetensors", [&] { return open_transformer_weights(folder); });
  const OpenedWeights autoencoder = open_or_note("ae.safetensors", [&] { return open_autoencoder_weights(folder); });
  if (summary.config && transformer.weights)
    read_or_note(summary.config, summary.faults, [&] {
      ModelConfig config = with_stored_tables(*summary.config, *transformer.weights);
      transformer.weights->tie_head(config);
      return config;
    });
  read_or_note(summary.tokenizer, summary.faults, [&] { return inspect_tokenizer(folder); });
  if (summary.config && summary.tokenizer && summary.tokenizer->size > summary.config->vocabulary)
    summary.faults.push_back(cat("the tokenizer has ", summary.tokenizer->size, " tokens, the word embedding only ",
                                 summary.config->vocabulary, " rows (vocab_size of llm_config.json)"));
  Bagel model;  // stays without slots if there is no configuration
  if (summary.config) model = make_bagel(*summary.config);
  const auto slots_of = [&](const auto& slots) { return summary.config ? slots(model) : std::vector<ParameterSlot>(); };
  summary.files.push_back(summarise(transformer, slots_of(transformer_slots)));
  summary.files.push_back(summarise(autoencoder, slots_of(autoencoder_slots)));
  return summary;
}

int64_t problem_count(const FolderSummary& summary) {
  const auto is_wrong = [](const WeightFileSummary& file) { return !file.fault.empty() || !file.differences.empty(); };
  return static_cast<int64_t>(summary.faults.size()) +
         std::count_if(summary.files.begin(), summary.files.end(), is_wrong);
}

}  // namespace diptych
