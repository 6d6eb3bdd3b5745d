#include "diptych/cli/sample/sample_page.h"

#include "diptych/base/text_format.h"
#include "diptych/cli/sample/sample_output.h"
#include "diptych/text/think.h"

namespace diptych {

namespace {

using Kind = ConversationPartKind;

std::string round_label(const SampledConversation& sampled, size_t round) {
  return sampled.rounds.size() == 1 ? "" : cat("round ", round);
}

ConversationMessage given_message(const SampleArguments& arguments, const SampleTask& task,
                                  const EpisodeOptions& options, const SampledConversation& sampled, size_t round) {
  ConversationMessage message{.speaker = Speaker::person, .label = round_label(sampled, round), .parts = {}};
  size_t source = 0;
  for (const ContextPart& part : sampled.rounds[round].given) {
    if (!part.image) {
      const bool is_system_prompt = part.text == options.system_prompt;
      message.parts.push_back({is_system_prompt ? Kind::system_prompt : Kind::text, part.text});
    } else if (round == 0) {
      message.parts.push_back({Kind::image, arguments.images[source], task.images[source]});
      ++source;
    } else {
      message.parts.push_back({Kind::note, "the picture above"});
    }
  }
  return message;
}

ConversationMessage made_message(const SampledConversation& sampled, size_t number) {
  const SampledRound& round = sampled.rounds[number];
  // A thought is named where it is folded.
  ConversationMessage message{
      .speaker = Speaker::model, .label = round.kind == "thinking" ? "" : round.kind, .parts = {}};
  const ThinkText text = parse_think(round.text);
  if (!text.reasoning.empty()) message.parts.push_back({Kind::thinking, text.reasoning});
  if (!text.answer.empty()) message.parts.push_back({Kind::text, text.answer});
  if (!round.kind.empty() && message.parts.empty()) message.parts.push_back({Kind::note, "empty " + round.kind});
  if (round.truncated) message.parts.push_back({Kind::note, "cut at --max-think-tokens"});
  if (round.image) message.parts.push_back({Kind::image, image_name(sampled, number), *round.image});
  return message;
}

}  // namespace

Conversation page_conversation(const SampleArguments& arguments, const SampleTask& task, const EpisodeOptions& options,
                               const SampledConversation& sampled) {
  Conversation conversation;
  conversation.title = cat("Prompt ", sampled.prompt, ", sample ", sampled.sample);
  for (size_t round = 0; round < sampled.rounds.size(); ++round) {
    conversation.messages.push_back(given_message(arguments, task, options, sampled, round));
    conversation.messages.push_back(made_message(sampled, round));
  }
  conversation.end = end_words(task, sampled.end);
  return conversation;
}

std::string sample_page(const SampleArguments& arguments, const SampleTask& task,
                        const std::vector<std::string>& sections, size_t sampled) {
  std::vector<std::pair<std::string, std::string>> facts = {
      {"model", arguments.model}, {"episode", task_name(task)}, {"seed", cat(arguments.seed)}};
  if (arguments.guidance > 1)
    facts.push_back({"guidance", cat(arguments.guidance, ", of images ", arguments.image_guidance)});
  if (sections.size() < sampled)
    facts.push_back({"shown", cat(sections.size(), " of ", sampled, " conversations; samples.jsonl has all")});
  return conversation_page("Sampled conversations", facts, sections);
}

}  // namespace diptych
