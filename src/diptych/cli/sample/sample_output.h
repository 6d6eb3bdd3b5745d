#pragma once
// What `diptych sample` leaves behind: image files, samples.jsonl, conversation.html, the grid, and what it prints.

#include <filesystem>
#include <nlohmann/json.hpp>

#include "diptych/cli/sample/sample_conversation.h"

namespace diptych {

/** Name of the image that a round painted, in the output folder. */
std::string image_name(const SampledConversation& conversation, size_t round);

/** Writes the images of all rounds. Throws Error(io). */
void write_images(const std::filesystem::path& folder, const SampledConversation& conversation);

/** The conversation's line of samples.jsonl. */
nlohmann::json sample_line(const SampleArguments& arguments, const SampleTask& task,
                           const SampledConversation& conversation);

/** Prints the conversation; the prompt only with its first sample. */
void print_conversation(const std::filesystem::path& folder, const SampleTask& task,
                        const SampledConversation& conversation);

/** How the conversation ended, in a few words. */
std::string end_words(const SampleTask& task, const std::string& end);

/** A row of `count` images per prompt, or rows of eight where count is 1. Throws Error(io). */
void write_grid(const std::filesystem::path& file, const std::vector<Image>& images, int64_t count);

}  // namespace diptych
