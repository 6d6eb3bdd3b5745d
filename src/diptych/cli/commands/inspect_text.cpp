#include "diptych/cli/commands/inspect_text.h"

#include <algorithm>
#include <array>

#include "diptych/base/text_format.h"
#include "diptych/cli/printing.h"
#include "diptych/model/folder/difference_groups.h"

namespace diptych {

namespace {

std::string bytes_text(int64_t bytes) {
  const auto count = static_cast<double>(bytes);
  if (bytes >= 1'000'000'000) return fixed(count * 1e-9, 2) + " GB";
  if (bytes >= 1'000'000) return fixed(count * 1e-6, 2) + " MB";
  if (bytes >= 1'000) return fixed(count * 1e-3, 2) + " kB";
  return cat(bytes, " B");
}

/** A count, and beside it what it should be. */
std::string count_text(int64_t count, int64_t expected) {
  return expected == 0 || count == expected ? grouped(count) : cat(grouped(count), " of ", grouped(expected));
}

// Name, tensors, parameters, dtypes, bytes.
using TextRow = std::array<std::string, 5>;

/** Columns as wide as their widest text; names and dtypes to the left, numbers to the right. */
std::string table(const std::vector<TextRow>& rows) {
  std::array<size_t, 5> widths = {};
  for (const TextRow& row : rows)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const TextRow& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string gap(widths[i] - row[i].size(), ' ');
      const bool is_left = i == 0 || i == 3;
      text += cat(i == 0 ? "" : "   ", is_left ? row[i] + gap : gap + row[i]);
    }
    text += '\n';
  }
  return text;
}

TextRow row(const std::string& name, const ComponentSummary& component) {
  return {name, count_text(component.tensors, component.expected_tensors),
          count_text(component.parameters, component.expected_parameters), join(component.dtypes, ", "),
          bytes_text(component.bytes)};
}

void add(ComponentSummary& sum, const ComponentSummary& component) {
  sum.tensors += component.tensors;
  sum.parameters += component.parameters;
  sum.bytes += component.bytes;
  sum.dtypes.insert(component.dtypes.begin(), component.dtypes.end());
  sum.expected_tensors += component.expected_tensors;
  sum.expected_parameters += component.expected_parameters;
}

std::string component_table(const FolderSummary& summary) {
  std::vector<TextRow> rows = {{"component", "tensors", "parameters", "dtype", "bytes"}};
  ComponentSummary all;
  for (const WeightFileSummary& file : summary.files) {
    ComponentSummary sum;
    for (const ComponentSummary& component : file.components) add(sum, component);
    add(all, sum);
    rows.push_back(row(file.name, sum));
    for (const ComponentSummary& component : file.components) rows.push_back(row("  " + component.name, component));
  }
  rows.push_back(row("together", all));
  return table(rows);
}

std::string transform_text(const ImageTransformConfig& transform) {
  return cat("sides of ", transform.min_short, " to ", transform.max_long, " pixels in steps of ", transform.stride);
}

std::string fact(const std::string& subject, const std::string& text) {
  char name[40];
  std::snprintf(name, sizeof name, "  %-12s", subject.c_str());
  return name + text + "\n";
}

std::string config_text(const ModelConfig& config) {
  const AutoencoderConfig& vae = config.vae;
  std::string text =
      fact("transformer", cat(config.layers, " layers, width ", config.hidden, ", MLP ", config.mlp, ", ", config.heads,
                              " query and ", config.kv_heads, " key heads of ", config.head_dim, ", vocabulary ",
                              config.vocabulary, ", rotary base ", fixed(config.rope_theta, 0)));
  text += fact("autoencoder", cat(vae.channels, " channels times ", join(vae.channel_multipliers, ", "), "; ",
                                  vae.z_channels, " numbers per ", vae.downsample, " x ", vae.downsample, " pixels"));
  text += fact("latents", cat("a token is ", config.latent_patch, " x ", config.latent_patch, " latents, ",
                              latent_token_pixels(config), " pixels; at most ", config.max_latent_size, " per side; ",
                              transform_text(config.vae_transform)));
  if (!config.visual_und) return text + fact("ViT", "none");
  return text + fact("ViT", cat(config.vit.layers, " layers, width ", config.vit.hidden, ", MLP ", config.vit.mlp, ", ",
                                config.vit.heads, " heads, patches of ", config.vit.patch, " pixels; at most ",
                                config.vit_max_patches_per_side, " per side; ", transform_text(config.vit_transform)));
}

std::string tokenizer_text(const TokenizerSummary& tokenizer) {
  const SpecialTokens& special = tokenizer.special;
  return fact("tokenizer", cat(tokenizer.size, " tokens; im_start ", special.im_start, ", im_end ", special.im_end,
                               ", vision_start ", special.vision_start, ", vision_end ", special.vision_end));
}

/** The text of an error, whose hint stands on a line of its own, indented. */
std::string fault_text(std::string fault) {
  for (size_t end = fault.find('\n'); end != fault.npos; end = fault.find('\n', end + 1)) fault.insert(end + 1, "  ");
  return cat("  ", fault, '\n');
}

std::string problems_text(const WeightFileSummary& file) {
  std::string text;
  if (!file.fault.empty()) text += fault_text(file.fault);
  if (!file.differences.empty()) text += cat("  ", file.name, ": ", file.differences.size(), " differences\n");
  for (const DifferenceGroup& group : group_differences(file.differences))
    text +=
        cat("    ", difference_text(group.first), group.count == 1 ? "" : cat("   (", group.count, " tensors)"), '\n');
  return text;
}

}  // namespace

std::string folder_text(const std::string& path, const FolderSummary& summary) {
  std::string text = path + "\n";
  if (summary.config) text += config_text(*summary.config);
  if (summary.tokenizer) text += tokenizer_text(*summary.tokenizer);
  text += "\n" + component_table(summary) + "\n";
  if (problem_count(summary) == 0)
    return text + "Complete: every tensor that the configuration asks for, and no other.\n";
  text += "Problems\n";
  for (const std::string& fault : summary.faults) text += fault_text(fault);
  for (const WeightFileSummary& file : summary.files) text += problems_text(file);
  return text;
}

std::string tensors_text(const SafetensorsFile& file) {
  const std::vector<std::string> names = file.names_in_file_order();
  size_t width = 6;
  for (const std::string& name : names) width = std::max(width, name.size());
  std::string text = cat(file.path().string(), '\n');
  std::map<std::string, ComponentSummary> sums;
  for (const std::string& name : names) {
    const StoredTensor& tensor = file.tensors().at(name);
    const ComponentSummary one = {.name = "",
                                  .tensors = 1,
                                  .parameters = c10::multiply_integers(tensor.shape),
                                  .bytes = static_cast<int64_t>(tensor.bytes.size()),
                                  .dtypes = {tensor.dtype}};
    add(sums[tensor.dtype], one);
    text += cat("  ", name, std::string(width - name.size() + 2, ' '), tensor.dtype,
                std::string(std::max<size_t>(8, tensor.dtype.size()) - tensor.dtype.size(), ' '),
                shape_text(tensor.shape), '\n');
  }
  for (const auto& [key, value] : file.metadata()) text += cat("metadata ", key, ": ", value, '\n');
  std::vector<TextRow> rows = {{"", "tensors", "numbers", "dtype", "bytes"}};
  ComponentSummary all;
  for (const auto& [dtype, sum] : sums) {
    add(all, sum);
    rows.push_back(row("", sum));
  }
  rows.push_back(row("together", all));
  return text + "\n" + table(rows);
}

}  // namespace diptych
