#include "diptych/tensor/torch.h"

#include "diptych/serve/engine/engine.h"

#include <gtest/gtest.h>

#include <limits>
#include <utility>

#include "diptych/flow/timestep_grid.h"
#include "diptych/rollout/image_sampler.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace diptych {
namespace {

using Clock = std::chrono::steady_clock;

/** What a client would have heard of a job. */
struct Heard {
  JobStarted started;
  std::vector<std::string> texts;
  std::vector<std::string> reasons;
  std::vector<std::vector<TokenScore>> scores;
  std::vector<Image> images;
  std::vector<std::string> thinking;
  std::optional<ApiError> error;
  size_t ended = 0;
};

Heard listen(Mailbox& mailbox, int64_t count) {
  const auto size = static_cast<size_t>(count);
  Heard heard;
  heard.texts.resize(size);
  heard.reasons.resize(size);
  heard.scores.resize(size);
  heard.images.resize(size);
  heard.thinking.resize(size);
  while (std::optional<JobEvent> event = mailbox.wait(std::chrono::milliseconds(0))) {
    if (const auto* started = std::get_if<JobStarted>(&*event)) heard.started = *started;
    if (const auto* failed = std::get_if<JobFailed>(&*event)) heard.error = failed->error;
    if (auto* added = std::get_if<TextAdded>(&*event)) {
      const auto choice = static_cast<size_t>(added->choice);
      heard.texts[choice] += added->text;
      if (added->score) heard.scores[choice].push_back(*added->score);
    }
    if (const auto* done = std::get_if<TextDone>(&*event)) {
      heard.texts[static_cast<size_t>(done->choice)] += done->text;
      heard.reasons[static_cast<size_t>(done->choice)] = done->reason;
      ++heard.ended;
    }
    if (auto* done = std::get_if<ImageDone>(&*event)) {
      heard.images[static_cast<size_t>(done->choice)] = std::move(done->image);
      heard.thinking[static_cast<size_t>(done->choice)] = done->thinking;
      ++heard.ended;
    }
  }
  return heard;
}

Image picture(int width, int height, uint64_t number) {
  Image image{height, width, {}};
  Stream stream({.seed = number});
  for (int i = 0; i < width * height * 3; ++i) image.pixels.push_back(static_cast<uint8_t>(stream.below(256)));
  return image;
}

ContextPart text_part(const std::string& text) {
  return {text, std::nullopt};
}

ContextPart image_part(uint64_t number) {
  return {"", picture(40, 24, number)};
}

Job chat(std::vector<ContextPart> parts, uint64_t seed, double temperature = 1, int64_t count = 1) {
  Job job;
  job.context = std::move(parts);
  job.seed = seed;
  job.count = count;
  job.text = TextStage{};
  job.text->sampling.temperature = temperature;
  job.text->sampling.max_tokens = 6;
  job.text->logprobs = true;
  job.text->top_logprobs = 3;
  return job;
}

Job painting(std::vector<ContextPart> parts, uint64_t seed, bool think, double guidance = 1, int64_t count = 1) {
  Job job;
  job.context = std::move(parts);
  job.seed = seed;
  job.count = count;
  if (think) {
    job.text = TextStage{};
    job.text->sampling.max_tokens = 5;
  }
  job.paint = PaintStage{.grid_height = 2, .grid_width = 3, .times = timestep_grid(4, 2.0), .guidance = {}};
  job.paint->guidance.text_scale = guidance;
  job.paint->guidance.image_scale = guidance;
  return job;
}

class EngineTest : public ::testing::Test {
 protected:
  TemporaryFolder folder_;
  ModelFolder made_ = make_tiny_model(folder_.path());
  EngineLimits limits_;

  static Clock::time_point later() { return Clock::now() + std::chrono::hours(1); }

  std::shared_ptr<Mailbox> submit(Engine& engine, const Job& job, Clock::time_point deadline = later()) {
    auto mailbox = std::make_shared<Mailbox>(10000);
    engine.submit(job, mailbox, deadline);
    return mailbox;
  }

  Heard alone(const Job& job) {
    Engine engine(made_.model, made_.tokenizer, limits_);
    const auto mailbox = submit(engine, job);
    while (engine.round()) continue;
    return listen(*mailbox, job.count);
  }

  /** Jobs of all kinds, each unlike the others. */
  static std::vector<Job> mixed_jobs() {
    std::vector<Job> jobs = {
        chat({text_part("two blue squares")}, 1),
        chat({text_part("think"), image_part(1), text_part("a red circle")}, 2, /*temperature=*/0),
        chat({image_part(1), text_part("a photo of a red circle and two blue squares")}, 3, 0.7, /*count=*/3),
        chat({image_part(1), image_part(2), text_part("a tricycle")}, 4, 1.3),
        painting({text_part("a red circle")}, 5, /*think=*/true),
        painting({text_part("system"), text_part("a circle")}, 6, true, /*guidance=*/2, /*count=*/2),
        painting({image_part(3), text_part("two squares")}, 7, false, 1.5),
        chat({image_part(4)}, 8),
        painting({text_part("a photo")}, 9, false),
    };
    jobs[0].text->sampling.top_p = 0.8;
    jobs[3].text->sampling.top_k = 5;
    jobs[3].image_context = ImageContext::vit;
    jobs[7].image_context = ImageContext::latent;
    return jobs;
  }

  static void expect_equal(const Heard& actual, const Heard& expected) {
    EXPECT_FALSE(actual.error);
    EXPECT_EQ(actual.ended, expected.texts.size());
    EXPECT_EQ(actual.started.prompt_tokens, expected.started.prompt_tokens);
    EXPECT_EQ(actual.texts, expected.texts);
    EXPECT_EQ(actual.reasons, expected.reasons);
    EXPECT_EQ(actual.thinking, expected.thinking);
    ASSERT_EQ(actual.scores.size(), expected.scores.size());
    for (size_t choice = 0; choice < expected.scores.size(); ++choice) {
      ASSERT_EQ(actual.scores[choice].size(), expected.scores[choice].size());
      for (size_t k = 0; k < expected.scores[choice].size(); ++k) {
        const TokenScore& a = actual.scores[choice][k];
        const TokenScore& e = expected.scores[choice][k];
        EXPECT_EQ(a.bytes, e.bytes);
        EXPECT_NEAR(a.logprob, e.logprob, 1e-5);
        ASSERT_EQ(a.top.size(), e.top.size());
        for (size_t i = 0; i < e.top.size(); ++i) EXPECT_NEAR(a.top[i].second, e.top[i].second, 1e-5);
      }
    }
    for (size_t choice = 0; choice < expected.images.size(); ++choice)
      expect_close(actual.images[choice], expected.images[choice]);
  }

  // Bytes are truncated, so rounding can move one by a level.
  static void expect_close(const Image& actual, const Image& expected) {
    ASSERT_EQ(actual.width, expected.width);
    ASSERT_EQ(actual.height, expected.height);
    for (size_t i = 0; i < expected.pixels.size(); ++i) ASSERT_NEAR(actual.pixels[i], expected.pixels[i], 1);
  }

  /** Runs the jobs together, a new one every round, and compares each with itself alone. */
  EngineLoad expect_together_as_alone(const std::vector<Job>& jobs, const EngineLimits& limits,
                                      int64_t* compactions = nullptr) {
    Engine engine(made_.model, made_.tokenizer, limits);
    std::vector<std::shared_ptr<Mailbox>> mailboxes;
    for (const Job& job : jobs) {
      mailboxes.push_back(submit(engine, job));
      if (mailboxes.size() % 2 == 0) engine.round();
    }
    while (engine.round()) continue;
    for (size_t i = 0; i < jobs.size(); ++i) {
      SCOPED_TRACE(i);
      expect_equal(listen(*mailboxes[i], jobs[i].count), alone(jobs[i]));
    }
    if (compactions != nullptr) *compactions = engine.counters().compactions;
    return engine.load();
  }
};

TEST_F(EngineTest, AJobDoesNotDependOnWhatElseIsUnderWay) {
  const EngineLoad load = expect_together_as_alone(mixed_jobs(), limits_);
  EXPECT_EQ(load.active, 0);
  EXPECT_EQ(load.waiting, 0);
}

TEST_F(EngineTest, NorOnTheLimits) {
  EngineLimits tight;
  tight.sequences = 3;
  tight.images = 1;
  tight.prefill_tokens = 1;
  tight.cache_rows = 400;
  std::vector<Job> jobs = mixed_jobs();
  for (int i = 0; i < 12; ++i) jobs.push_back(chat({image_part(10 + static_cast<uint64_t>(i)), text_part("a")}, 20));
  int64_t compactions = 0;
  const EngineLoad load = expect_together_as_alone(jobs, tight, &compactions);
  EXPECT_GT(compactions, 0);
  EXPECT_LE(load.cache_rows, tight.cache_rows);
  EXPECT_LE(load.prefix_rows, tight.cache_rows / 4 * 3);
}

TEST_F(EngineTest, TextsAreThoseOfTheSampler) {
  const Job job = chat({text_part("a photo of"), text_part("two blue squares")}, 11, 1, 3);
  const Heard heard = alone(job);
  std::vector<int64_t> ids = text_ids(made_.tokenizer, job.context[0].text);
  const std::vector<int64_t> second = text_ids(made_.tokenizer, job.context[1].text);
  ids.insert(ids.end(), second.begin(), second.end());
  EXPECT_EQ(heard.started.prompt_tokens, static_cast<int64_t>(ids.size()));
  KvCache cache = make_cache(made_.model);
  std::vector<CachedContext> contexts(3);
  prefill(made_.model, cache, {{text_segment(ids, -1, 0)}, {text_segment(ids, -1, 0)}, {text_segment(ids, -1, 0)}},
          contexts);
  std::vector<StreamKey> keys;
  for (uint64_t choice = 0; choice < 3; ++choice)
    keys.push_back({.seed = 11, .purpose = Purpose::think, .sample = choice});
  const std::vector<SampledText> texts = sample_texts(made_.model, cache, contexts, job.text->sampling, keys);
  const std::vector<std::string> table = token_bytes_table(made_.tokenizer, made_.model.config.vocabulary);
  for (size_t choice = 0; choice < 3; ++choice) {
    size_t said = 0;
    for (size_t k = 0; k < texts[choice].tokens.size(); ++k) {
      if (texts[choice].tokens[k] == made_.model.special.im_end) continue;
      ASSERT_LT(said, heard.scores[choice].size());
      const TokenScore& score = heard.scores[choice][said++];
      EXPECT_EQ(score.bytes, table[static_cast<size_t>(texts[choice].tokens[k])]);
      EXPECT_NEAR(score.logprob, texts[choice].logprobs[k], 1e-5);
      EXPECT_GE(score.top[0].second, score.top[1].second);
    }
    EXPECT_EQ(said, heard.scores[choice].size());
    EXPECT_EQ(heard.reasons[choice], texts[choice].truncated ? "length" : "stop");
  }
}

TEST_F(EngineTest, ImagesAreThoseOfTheSampler) {
  const Job job = painting({text_part("system"), image_part(1), text_part("a red circle")}, 12, /*think=*/true, 2);
  const Heard heard = alone(job);
  const Bagel& model = made_.model;
  KvCache cache = make_cache(model);
  std::vector<CachedContext> contexts(3);
  std::vector<Segment> texts;
  append_text(texts, text_ids(made_.tokenizer, "system"));
  append_text(texts, text_ids(made_.tokenizer, "a red circle"));
  prefill(model, cache,
          {context_segments(model, made_.tokenizer, job.context, {}),
           context_segments(model, made_.tokenizer, {job.context[0], job.context[1]}, {}), texts},
          contexts);
  ImageTask task{.context = {},
                 .text_dropped = contexts[1],
                 .image_dropped = contexts[2],
                 .grid_height = 2,
                 .grid_width = 3,
                 .key = {.seed = 12}};
  std::vector<CachedContext> full = {contexts[0]};
  sample_texts(model, cache, full, job.text->sampling, {{.seed = 12, .purpose = Purpose::think}});
  task.context = full[0];
  DenoiseSchedule schedule;
  schedule.grid = job.paint->times;
  const std::vector<SampledImage> images = sample_images(model, cache, {task}, schedule, job.paint->guidance);
  expect_close(heard.images[0], decode_latents(model, {images[0].latent}, 2, 3)[0]);
}

TEST_F(EngineTest, AnImageIsReadOnceForManyQuestions) {
  Engine engine(made_.model, made_.tokenizer, limits_);
  std::vector<std::shared_ptr<Mailbox>> mailboxes;
  std::vector<Job> jobs;
  for (const char* question : {"red", "blue squares", "a circle", "two"})
    jobs.push_back(chat({image_part(1), text_part(question)}, 1, 0));
  for (const Job& job : jobs) mailboxes.push_back(submit(engine, job));
  while (engine.round()) continue;
  jobs.push_back(chat({image_part(1), text_part("later")}, 1, 0));
  mailboxes.push_back(submit(engine, jobs.back()));
  while (engine.round()) continue;
  const int64_t image_rows = engine.load().prefix_rows;
  EXPECT_GT(image_rows, 4);
  EXPECT_EQ(engine.counters().cached_tokens, 4 * image_rows);
  for (size_t i = 0; i < jobs.size(); ++i) {
    const Heard heard = listen(*mailboxes[i], 1);
    EXPECT_EQ(heard.started.cached_tokens, i == 0 ? 0 : image_rows);
    expect_equal(heard, alone(jobs[i]));
  }
}

TEST_F(EngineTest, AStopStringEndsAText) {
  Job job = chat({text_part("two blue squares")}, 3);
  const Heard whole = alone(job);
  ASSERT_GE(whole.scores[0].size(), 3U);
  job.text->stops = {whole.scores[0][2].bytes};
  const Heard cut = alone(job);
  EXPECT_EQ(cut.reasons[0], "stop");
  EXPECT_EQ(cut.texts[0], whole.texts[0].substr(0, whole.texts[0].find(whole.scores[0][2].bytes)));
}

TEST_F(EngineTest, LimitsHaveTheirStatus) {
  limits_.waiting = 1;
  limits_.max_context = 30;
  Engine engine(made_.model, made_.tokenizer, limits_);
  const auto status = [&](const Job& job) {
    try {
      submit(engine, job);
    } catch (const ApiError& error) {
      return error.status;
    }
    return 0;
  };
  EXPECT_EQ(status(chat({text_part(std::string(100, 'x'))}, 1)), 400);
  EXPECT_EQ(status(chat({text_part("a")}, 1, 1, limits_.sequences + 1)), 400);
  EXPECT_EQ(status(chat({text_part("a")}, 1)), 0);
  EXPECT_EQ(status(chat({text_part("a")}, 1)), 429);
  engine.round();
  EXPECT_EQ(status(chat({text_part("a")}, 1)), 0);
  engine.drain(std::chrono::milliseconds(0));
  EXPECT_EQ(status(chat({text_part("a")}, 1)), 503);
}

TEST_F(EngineTest, MaxTokensShrinksToTheContext) {
  Job job = chat({text_part("two")}, 1);
  const int64_t prompt = alone(job).started.prompt_tokens;
  limits_.max_context = prompt + 2 + 3;
  job.text->sampling.max_tokens = 1000;
  EXPECT_LE(alone(job).scores[0].size(), 3U);
}

TEST_F(EngineTest, AbandonedAndOverdueJobsAreDropped) {
  Engine engine(made_.model, made_.tokenizer, limits_);
  Job endless = chat({image_part(1), text_part("two")}, 1);
  endless.text->sampling.max_tokens = 4000;
  const auto gone = submit(engine, endless);
  const auto gone_painter = submit(engine, painting({text_part("a")}, 1, false, 1, 2));
  const auto overdue = submit(engine, endless, Clock::now());
  const auto good = submit(engine, chat({image_part(1), text_part("red")}, 2));
  engine.round();
  gone->abandon();
  gone_painter->abandon();
  while (engine.round()) continue;
  EXPECT_EQ(listen(*overdue, 1).error->status, 504);
  EXPECT_EQ(listen(*gone, 1).ended, 0U);
  expect_equal(listen(*good, 1), alone(chat({image_part(1), text_part("red")}, 2)));
  EXPECT_EQ(engine.counters().images, 0);
}

TEST_F(EngineTest, AReaderThatFallsBehindIsDropped) {
  Engine engine(made_.model, made_.tokenizer, limits_);
  Job job = chat({text_part("two")}, 1);
  job.text->sampling.max_tokens = 4000;
  auto slow = std::make_shared<Mailbox>(2);
  engine.submit(job, slow, later());
  int rounds = 0;
  while (engine.round()) ++rounds;
  EXPECT_TRUE(slow->abandoned());
  EXPECT_LT(rounds, 10);
}

TEST_F(EngineTest, NumbersThatAreNotFiniteFailTheirJobAlone) {
  Engine engine(made_.model, made_.tokenizer, limits_);
  const Tensor row = made_.model.lm_head.weight.select(0, 7);
  const Tensor kept = row.clone();
  {
    at::NoGradGuard no_grad;
    row.fill_(std::numeric_limits<float>::quiet_NaN());
  }
  const auto failed = submit(engine, chat({text_part("two")}, 1, 1, 2));
  while (engine.round()) continue;
  EXPECT_EQ(listen(*failed, 2).error->status, 500);
  {
    at::NoGradGuard no_grad;
    row.copy_(kept);
  }
  const auto good = submit(engine, chat({text_part("two")}, 1));
  while (engine.round()) continue;
  expect_equal(listen(*good, 1), alone(chat({text_part("two")}, 1)));
}

TEST_F(EngineTest, ALongPromptStopsNobody) {
  EngineLimits parts;
  parts.prefill_tokens = 16;
  const Job first = chat({text_part(std::string(400, 'x')), text_part(std::string(300, 'y'))}, 1);
  const Job second = chat({text_part(std::string(300, 'z')), image_part(1), text_part("red")}, 2);
  // Each pass takes as long as any other, so that the turns are known.
  int64_t passes = 0;
  Engine engine(made_.model, made_.tokenizer, parts, [&] { return Clock::time_point(std::chrono::seconds(passes++)); });
  const auto long_text = submit(engine, first);
  const auto long_beginning = submit(engine, second);
  engine.round();
  const Job question = chat({image_part(1), text_part("two")}, 3);
  const auto short_one = submit(engine, question);
  const int64_t tokens = question.text->sampling.max_tokens;
  // A few parts of the prompt, and every second pass a token.
  for (int64_t round = 0; round < 10 + 2 * tokens; ++round) engine.round();
  expect_equal(listen(*short_one, 1), alone(question));
  EXPECT_EQ(listen(*long_text, 1).ended, 0U);
  EXPECT_EQ(engine.load().active, 2);
  int64_t rounds = 0;
  while (engine.round()) ++rounds;
  EXPECT_GT(rounds, 10);
  const auto long_again = submit(engine, first);
  while (engine.round()) continue;
  expect_equal(listen(*long_again, 1), alone(first));
  expect_equal(listen(*long_beginning, 1), alone(second));
}

TEST_F(EngineTest, TextsHaveAsMuchTimeAsImages) {
  Engine* clocked = nullptr;
  const auto now = [&] {
    const EngineCounters& counters = clocked->counters();
    return Clock::time_point(std::chrono::milliseconds(counters.text_passes + 20 * counters.paint_passes));
  };
  Engine engine(made_.model, made_.tokenizer, limits_, now);
  clocked = &engine;
  Job text = chat({text_part("two")}, 1, /*temperature=*/100);
  text.text->sampling.max_tokens = 100;
  Job image = painting({text_part("a photo")}, 2, /*think=*/false);
  image.paint->times = timestep_grid(101, 1);
  const auto painted = submit(engine, image);
  while (engine.counters().paint_passes < 2) engine.round();
  const auto written = submit(engine, text);
  size_t tokens = 0;
  int64_t steps = 0;
  for (bool done = false; !done; tokens += listen(*written, 1).scores[0].size()) {
    engine.round();
    steps = engine.counters().paint_passes;
    done = engine.load().active < 2;
  }
  // 20 tokens in the time of a step: few steps, though the image needs 100.
  ASSERT_GT(tokens, 40U);
  EXPECT_LE(steps, 2 + 2 + static_cast<int64_t>(tokens) / 20);
  EXPECT_GE(steps, 2 + static_cast<int64_t>(tokens) / 20 - 1);
}

TEST_F(EngineTest, AFailedPassFailsItsJobsAlone) {
  Engine engine(made_.model, made_.tokenizer, limits_);
  const Job question = chat({image_part(1), text_part("red")}, 1);
  const auto first = submit(engine, question);
  while (engine.round()) continue;
  const int64_t prefix_rows = engine.load().prefix_rows;
  ASSERT_GT(prefix_rows, 0);
  Job broken = painting({text_part("a photo")}, 2, /*think=*/false);
  broken.paint->times = {1.1, 0.5, 0};  // no flow times: the step throws
  const Job sound = painting({text_part("a photo")}, 3, /*think=*/true, /*guidance=*/2, /*count=*/2);
  const auto failed = submit(engine, broken);
  const auto painted = submit(engine, sound);
  const auto second = submit(engine, question);
  while (engine.round()) continue;
  EXPECT_EQ(listen(*failed, 1).error->status, 500);
  expect_equal(listen(*painted, 2), alone(sound));
  const Heard heard = listen(*second, 1);
  EXPECT_EQ(heard.started.cached_tokens, prefix_rows);
  EXPECT_FALSE(heard.error);
  EXPECT_EQ(heard.texts, listen(*first, 1).texts);
  EXPECT_EQ(engine.load().prefix_rows, prefix_rows);
}

TEST_F(EngineTest, AFailedTextPassLeavesImagesAndPrefixes) {
  // Without a clock the turns are known: the prompt comes ahead of the next step.
  Engine engine(made_.model, made_.tokenizer, limits_, [] { return Clock::time_point(); });
  const Job image = painting({image_part(3), text_part("a photo")}, 2, /*think=*/false);
  const auto painted = submit(engine, image);
  while (engine.counters().paint_passes == 0) engine.round();
  const auto failed = submit(engine, chat({text_part("two")}, 1));
  const Tensor weight = std::exchange(made_.model.lm_head.weight, Tensor());
  while (engine.load().active > 1 || engine.load().waiting > 0) engine.round();
  made_.model.lm_head.weight = weight;
  EXPECT_EQ(listen(*failed, 1).error->status, 500);
  while (engine.round()) continue;
  expect_equal(listen(*painted, 1), alone(image));
  EXPECT_GT(engine.load().prefix_rows, 0);
}

TEST_F(EngineTest, PaintingStaysWithinTheCache) {
  EngineLimits small = limits_;
  small.cache_rows = 400;
  Engine engine(made_.model, made_.tokenizer, small);
  std::vector<std::shared_ptr<Mailbox>> mailboxes;
  Job job = painting({image_part(3), text_part("two squares")}, 7, false, /*guidance=*/1.5, /*count=*/6);
  job.paint->grid_height = 4;
  for (int i = 0; i < 4; ++i) mailboxes.push_back(submit(engine, job));
  while (engine.round()) EXPECT_EQ(engine.load().cache_capacity, small.cache_rows);
  for (const auto& mailbox : mailboxes) expect_equal(listen(*mailbox, 6), alone(job));
  job.paint->grid_height = 8;
  job.paint->grid_width = 8;
  EXPECT_THROW(submit(engine, job), ApiError);
}

TEST_F(EngineTest, MaxTokensShrinksToTheCache) {
  limits_.cache_rows = 400;
  Job job = chat({text_part("two")}, 1, /*temperature=*/100, /*count=*/10);
  job.text->sampling.max_tokens = 4000;
  const Heard heard = alone(job);
  EXPECT_EQ(heard.ended, 10U);
  for (const auto& scores : heard.scores) EXPECT_LE(scores.size(), 30U);
}

TEST_F(EngineTest, DrainFinishesWhatIsUnderWay) {
  Engine engine(made_.model, made_.tokenizer, limits_);
  engine.start();
  const auto mailbox = submit(engine, chat({text_part("two")}, 1));
  engine.drain(std::chrono::hours(1));
  expect_equal(listen(*mailbox, 1), alone(chat({text_part("two")}, 1)));
  EXPECT_THROW(submit(engine, chat({text_part("two")}, 1)), ApiError);
}

TEST_F(EngineTest, DrainFailsWhatTakesTooLong) {
  Engine engine(made_.model, made_.tokenizer, limits_);
  const auto mailbox = submit(engine, chat({text_part("two")}, 1));
  engine.round();
  engine.drain(std::chrono::milliseconds(0));
  EXPECT_EQ(listen(*mailbox, 1).error->status, 503);
}

}  // namespace
}  // namespace diptych
