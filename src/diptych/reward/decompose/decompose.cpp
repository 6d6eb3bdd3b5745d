#include "diptych/reward/decompose/decompose.h"

#include <algorithm>
#include <cassert>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/reward/decompose/decompose_reply.h"

namespace diptych {

namespace {

constexpr int kMostFailuresInARow = 20;
constexpr size_t kTrialPrompts = 10;  // if none of them can be decomposed, the others are not tried

/** A prompt on its way through the stages. */
struct Job {
  explicit Job(size_t prompt) : index(prompt) {}

  size_t index;  // of the prompt
  DecomposeStage stage = DecomposeStage::generate;
  int in_vain = 0;  // attempts; also the seed of the next request, so that no reply is asked for twice
  std::vector<std::string> semantic;
  std::vector<std::string> tags;
  std::vector<AtomicQuestion> quality;
  bool has_old_replies = false;  // of an earlier run
  bool afresh = false;           // such replies no longer count
  bool is_done = false;
  Decomposition result;
};

void drop(Job* job, const std::string& reason) {
  job->result.dropped = reason;
  job->is_done = true;
}

void count_attempt(Job* job, int attempts, const std::string& reason) {
  if (++job->in_vain < attempts) return;
  if (!job->has_old_replies) return drop(job, cat(reason, " (after ", attempts, " attempts)"));
  // The server of that run may have been at fault.
  *job = Job(job->index);
  job->afresh = true;
}

void finish(Job* job) {
  std::vector<AtomicQuestion>& questions = job->result.questions;
  for (size_t i = 0; i < job->semantic.size(); ++i)
    questions.push_back({"semantic", job->tags[i], job->semantic[i], cat('s', i + 1)});
  questions.insert(questions.end(), job->quality.begin(), job->quality.end());
  job->is_done = true;
}

/** Goes to the next stage if the reply can be used; otherwise returns what is wrong with it. */
std::string take_reply(Job* job, const std::string& reply) {
  std::string fault;
  std::vector<InvalidQuestion> invalid;
  switch (job->stage) {
    case DecomposeStage::generate:
      fault = parse_generate_reply(reply, &job->semantic);
      if (fault.empty()) job->stage = DecomposeStage::validate;
      break;
    case DecomposeStage::validate:
      fault = parse_validate_reply(reply, job->semantic.size(), &invalid);
      if (fault.empty()) job->stage = invalid.empty() ? DecomposeStage::tag : DecomposeStage::generate;
      break;
    case DecomposeStage::tag:
      fault = parse_tag_reply(reply, job->semantic.size(), &job->tags);
      if (fault.empty()) job->stage = DecomposeStage::quality;
      break;
    case DecomposeStage::quality:
      fault = parse_quality_reply(reply, &job->quality);
      if (fault.empty()) finish(job);
      break;
  }
  if (invalid.empty()) return fault;
  const InvalidQuestion& first = invalid.front();
  return cat("the prompt does not require '", job->semantic[first.index], "'",
             first.reason.empty() ? "" : cat(": ", first.reason));
}

void advance(Job* job, const DecomposeCache::Answer& answer, int attempts) {
  const ChatResult& result = answer.result;
  job->has_old_replies |= answer.is_old;
  if (!result.reply) {
    job->result.is_unanswered = true;
    return drop(job, cat("no reply: ", result.failure));
  }
  const DecomposeStage stage = job->stage;
  const std::string fault = take_reply(job, result.reply->text);
  if (!fault.empty()) count_attempt(job, attempts, cat(to_string(stage), ": ", fault));
}

void count_failures(const std::vector<DecomposeCache::Answer>& answers, const DecomposeCache& cache, int* in_a_row) {
  for (const auto& [result, is_old] : answers) {
    *in_a_row = result.reply ? 0 : *in_a_row + 1;
    if (*in_a_row == kMostFailuresInARow)
      throw Error(ExitCode::reward,
                  {"the server of the language model", "replies",
                   cat("no reply to ", kMostFailuresInARow, " requests in a row; the last one: ", result.failure),
                   cat("the replies so far are kept in ", cache.path().string(), "; the same command continues")});
  }
}

[[noreturn]] void no_prompt_succeeds(size_t dropped, const std::string& prompt, const std::string& reason) {
  throw Error(
      ExitCode::reward,
      {"the language model", cat("usable replies for one of the first ", kTrialPrompts, " prompts"),
       cat("none for ", dropped, " of ", dropped, "; of the last, '", prompt, "': ", reason),
       "mend the server or the templates; the same command then asks all over again, whatever the cache holds"});
}

}  // namespace

std::vector<Decomposition> decompose(const std::vector<std::string>& prompts, const DecomposeTemplates& templates,
                                     const DecomposeConfig& config, DecomposeCache& cache,
                                     const std::function<void(int64_t done)>& on_progress) {
  assert(config.attempts > 0 && config.prompts_at_once > 0);
  std::vector<Decomposition> results(prompts.size());
  std::vector<Job> jobs;
  size_t started = 0;
  int failures_in_a_row = 0;
  size_t dropped = 0;
  bool any_succeeded = false;
  while (started < prompts.size() || !jobs.empty()) {
    const auto at_once = static_cast<size_t>(config.prompts_at_once);
    while (started < prompts.size() && jobs.size() < (any_succeeded ? at_once : std::min(at_once, kTrialPrompts)))
      jobs.emplace_back(started++);
    std::vector<DecomposeCache::Question> questions;
    for (const Job& job : jobs)
      questions.push_back({std::string(to_string(job.stage)), prompts[job.index],
                           decompose_request(job.stage, templates, prompts[job.index], job.semantic, job.in_vain),
                           job.afresh});
    const std::vector<DecomposeCache::Answer> answers = cache.ask(questions);
    count_failures(answers, cache, &failures_in_a_row);
    for (size_t i = 0; i < jobs.size(); ++i) advance(&jobs[i], answers[i], config.attempts);
    for (Job& job : jobs) {
      if (!job.is_done) continue;
      const std::string& reason = (results[job.index] = std::move(job.result)).dropped;
      any_succeeded |= reason.empty();
      dropped += reason.empty() ? 0 : 1;
      if (!any_succeeded && dropped == kTrialPrompts) no_prompt_succeeds(dropped, prompts[job.index], reason);
    }
    std::erase_if(jobs, [](const Job& job) { return job.is_done; });
    on_progress(static_cast<int64_t>(started - jobs.size()));
  }
  return results;
}

}  // namespace diptych
