#pragma once
// Sampled conversations as an HTML page.

#include "diptych/cli/sample/sample_conversation.h"
#include "diptych/report/html/conversation_page.h"

namespace diptych {

/** The conversation with every text and image in the order in which the model was given or made them. */
Conversation page_conversation(const SampleArguments& arguments, const SampleTask& task, const EpisodeOptions& options,
                               const SampledConversation& sampled);

/** The page of the sections of the first conversations, of `sampled` in all. */
std::string sample_page(const SampleArguments& arguments, const SampleTask& task,
                        const std::vector<std::string>& sections, size_t sampled);

}  // namespace diptych
