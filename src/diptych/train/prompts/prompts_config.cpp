#include "diptych/train/prompts/prompts_config.h"

#include "diptych/base/text_format.h"
#include "diptych/train/prompts/prompt_sources.h"

namespace diptych {

void visit(ConfigFields& fields, PromptsConfig& prompts) {
  std::vector<std::string> names;
  std::vector<std::string> comments;
  for (const PromptSource& source : prompt_sources()) {
    names.push_back(source.name);
    if (!source.comment.empty()) comments.push_back(cat(source.name, ": ", source.comment));
  }
  fields.choice("source", prompts.source, names, join(comments, "; "));
  fields("path", prompts.path, "file: one prompt a line (.txt) or JSON lines with `prompt` (docs/data.md)",
         Change::files);
  fields.range("per_step", prompts.per_step, 1, 1000000, "prompts of a rollout step");
}

}  // namespace diptych
