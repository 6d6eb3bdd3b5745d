#include "diptych/cli/sample/sample_conversation.h"

#include <algorithm>

#include "diptych/eval/benchmarks/shapes_world.h"
#include "diptych/eval/refinement.h"
#include "diptych/rollout/stage_context.h"
#include "diptych/rollout/stage_end_name.h"
#include "diptych/text/unicode.h"

namespace diptych {

namespace {

std::string kind_of_text(const StageProgram& stage) {
  if (!stage.write) return "";
  if (!stage.paint) return "answer";
  if (stage.may_stop) return "review";
  const bool reflects =
      std::find(stage.given.begin(), stage.given.end(), GivenPart::reflection_prompt) != stage.given.end();
  return reflects ? "reflection" : "thinking";
}

/** One call's conversations while they are made. */
class Sampler {
 public:
  Sampler(const ModelFolder& folder, const SampleTask& task, const EpisodeOptions& options, uint64_t seed,
          const SampleRange& range)
      : folder_(folder), task_(task), options_(options), seed_(seed), range_(range) {}

  void run_episodes();
  void refine(int64_t round);
  void say_how_they_ended();
  std::vector<SampledConversation> take() { return std::move(conversations_); }

 private:
  const TaskPrompt& prompt(const SampledConversation& conversation) const { return task_.prompts[conversation.prompt]; }
  bool is_right(const SampledConversation& conversation) const;
  std::string end_of(const SampledConversation& conversation) const;
  void add_round(SampledConversation& conversation, const StageProgram& program, Stage& stage) const;

  const ModelFolder& folder_;
  const SampleTask& task_;
  const EpisodeOptions& options_;
  uint64_t seed_;
  const SampleRange& range_;
  std::vector<SampledConversation> conversations_;
};

void Sampler::add_round(SampledConversation& conversation, const StageProgram& program, Stage& stage) const {
  const Image* last = last_image(conversation);
  const std::vector<Image> images = last ? std::vector<Image>{*last} : task_.images;
  SampledRound round;
  round.kind = kind_of_text(program);
  round.given = given_parts(options_, program, {prompt(conversation).text, images});
  for (ContextPart& part : round.given)
    if (part.image) part.image = Image();
  if (stage.text) {
    round.text = repair_utf8(stage.candidate.texts.front());
    round.truncated = stage.text->truncated;
  }
  if (stage.image) round.image = std::move(stage.candidate.images.back());
  round.end = stage.end;
  conversation.rounds.push_back(std::move(round));
}

void Sampler::run_episodes() {
  std::vector<EpisodePrompt> episodes;
  for (size_t i = range_.prompt_begin; i < range_.prompt_end; ++i) {
    episodes.push_back({task_.prompts[i].text, i, task_.images});
    for (int64_t sample = range_.sample_begin; sample < range_.sample_end; ++sample)
      conversations_.push_back({.prompt = i, .sample = sample, .rounds = {}, .end = {}});
  }
  EpisodeOptions options = options_;
  options.first_sample = range_.sample_begin;
  const int64_t count = range_.sample_end - range_.sample_begin;
  Rollout rollout =
      roll_out(folder_.model, folder_.tokenizer,
               {.prompts = std::move(episodes), .group_size = count, .options = std::move(options), .seed = seed_});
  for (Stage& stage : rollout.stages)
    add_round(conversations_[static_cast<size_t>(stage.prompt * count + stage.sample - range_.sample_begin)],
              options_.program.stages[static_cast<size_t>(stage.round)], stage);
}

bool Sampler::is_right(const SampledConversation& conversation) const {
  Candidate candidate;
  candidate.prompt = prompt(conversation).text;
  candidate.images = {*last_image(conversation)};
  return picture_is_right(prompt(conversation), candidate);
}

void Sampler::refine(int64_t round) {
  std::vector<PictureToRefine> pictures;
  for (const SampledConversation& conversation : conversations_) {
    // Each picture is a prompt of its own: samples of one prompt are told apart in the upper half of the address.
    const uint64_t address = conversation.prompt + (static_cast<uint64_t>(conversation.sample) << 32);
    pictures.push_back({.prompt = {prompt(conversation).text, address, {*last_image(conversation)}},
                        .right = task_.refine == "oracle" && is_right(conversation),
                        .stopped = conversation.rounds.back().end == StageEnd::stopped});
  }
  std::vector<std::optional<Stage>> stages =
      refine_pictures({folder_.model, folder_.tokenizer, options_}, task_.refine, seed_, round, pictures);
  const EpisodeProgram program = refinement_program(task_.refine);
  for (size_t i = 0; i < stages.size(); ++i)
    if (stages[i]) add_round(conversations_[i], program.stages.front(), *stages[i]);
}

std::string Sampler::end_of(const SampledConversation& conversation) const {
  if (task_.refine == "oracle") return is_right(conversation) ? "right" : "wrong";
  const StageEnd end = conversation.rounds.back().end;
  const bool may_end_earlier = task_.refine == "self" || task_.program.stages.size() > 1;
  return end == StageEnd::painted && may_end_earlier ? "cap" : stage_end_name(end);
}

void Sampler::say_how_they_ended() {
  for (SampledConversation& conversation : conversations_) conversation.end = end_of(conversation);
}

}  // namespace

std::vector<SampledConversation> sample_conversations(const ModelFolder& folder, const SampleTask& task,
                                                      const EpisodeOptions& options, uint64_t seed,
                                                      const SampleRange& range) {
  Sampler sampler(folder, task, options, seed, range);
  sampler.run_episodes();
  for (int64_t round = 1; round <= task.refine_rounds; ++round) sampler.refine(round);
  sampler.say_how_they_ended();
  return sampler.take();
}

const Image* last_image(const SampledConversation& conversation) {
  for (auto round = conversation.rounds.rbegin(); round != conversation.rounds.rend(); ++round)
    if (round->image) return &*round->image;
  return nullptr;
}

}  // namespace diptych
