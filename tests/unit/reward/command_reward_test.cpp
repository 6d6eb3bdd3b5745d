#include "diptych/reward/command_reward.h"

#include <stdlib.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <thread>

#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace diptych {
namespace {

/** A program that does what the prompt says. It never flushes: diptych starts Python with unbuffered output. */
constexpr const char* kScorer = R"(
import json, os, signal, subprocess, sys, time
held = []
for line in sys.stdin:
    request = json.loads(line)
    prompt = request["prompt"]
    def answer(**fields):
        return json.dumps({"id": request["id"], **fields})
    if prompt == "silent": continue
    elif prompt == "crash": os._exit(3)
    elif prompt == "crash with a child": subprocess.Popen(["sleep", "600"]); os._exit(3)
    elif prompt == "close output": os.close(1); time.sleep(600)
    elif prompt == "half a line": sys.stdout.write(answer(score=1)[:-1]); time.sleep(600)
    elif prompt == "endless line": sys.stdout.write("x" * 2_000_000); time.sleep(600)
    elif prompt == "garbage": print("score is 0.5")
    elif prompt == "no text": sys.stdout.buffer.write(b'{"id": %d, "score": "\xff"}\n' % request["id"])
    elif prompt == "number": print(answer(score=1).replace(str(request["id"]), f"{request['id']}.0", 1))
    elif prompt == "bar": sys.stderr.write(" 50 %\r"); print(" " + answer(score=1) + "\r")
    elif prompt == "place": print(answer(score=1, place=[os.environ.get(name) for name in ("RANK", "DIPTYCH_RANK")]))
    elif prompt == "signal": os.kill(os.getpid(), signal.SIGKILL)
    elif prompt == "hold": held.append(answer(score=len(held)))
    elif prompt == "release": print("\n".join(reversed(held + [answer(score=len(held))]))); held = []
    elif prompt == "nan": print(answer(score=float("nan")))
    elif prompt == "huge": print(answer(score=1).replace("1}", "1e999}"))
    elif prompt == "word": print(answer(score="good"))
    elif prompt == "nothing": print(answer())
    elif prompt == "bad check": print(answer(score=1, checks={"colour": "red"}))
    elif prompt == "error": print(answer(error="no face found"))
    elif prompt == "chatter": print("loading 50 %"); print(json.dumps({"id": 10**6, "score": 1})); print(answer(score=1))
    elif prompt == "twice": print(answer(score=0.25)); print(answer(score=0.75))
    elif prompt == "log": print("warming\rwarm", file=sys.stderr); print(answer(score=1))
    elif prompt == "request": print(answer(score=1, request=request, size=os.path.getsize(request["image"])))
    else: print(answer(score=len(prompt), checks={"has picture": request["image"] is not None}))
)";

const Image kPicture{.height = 2, .width = 2, .pixels = std::vector<uint8_t>(12, 9)};

/** Prompts with a candidate each. */
struct Pairs {
  std::vector<TaskPrompt> prompts;
  std::vector<Candidate> candidates;

  explicit Pairs(const std::vector<std::string>& texts) : prompts(texts.size()), candidates(texts.size()) {
    for (size_t i = 0; i < texts.size(); ++i) {
      prompts[i].text = texts[i];
      candidates[i] = {.prompt = texts[i], .texts = {"thought"}, .images = {kPicture}};
    }
  }
  std::vector<ScoredPair> view() const {
    std::vector<ScoredPair> result;
    for (size_t i = 0; i < prompts.size(); ++i) result.push_back({&prompts[i], &candidates[i]});
    return result;
  }
};

class CommandRewardTest : public ::testing::Test {
 protected:
  CommandRewardTest() { std::ofstream(folder_.path() / "scorer.py") << kScorer; }

  CommandRewardOptions options() const { return {.command = {"python3", (folder_.path() / "scorer.py").string()}}; }
  static std::vector<Score> score(CommandReward& reward, const std::vector<std::string>& prompts) {
    return reward.score(Pairs(prompts).view());
  }
  static void expect_ok(const Score& score, double value) {
    EXPECT_EQ(score.status, ScoreStatus::ok) << score.raw_reply;
    EXPECT_EQ(score.value, value);
  }
  static void expect_masked(const Score& score, const std::string& reason) {
    EXPECT_EQ(score.status, ScoreStatus::masked);
    EXPECT_FALSE(score.value);
    EXPECT_NE(score.raw_reply.find(reason), std::string::npos) << score.raw_reply;
  }

  const TemporaryFolder folder_;
};

TEST_F(CommandRewardTest, TheRequestHoldsTheSample) {
  CommandReward reward(options());
  Pairs pairs({"request"});
  pairs.candidates[0].texts = {"first", "cut \xC3"};  // ends inside a character
  pairs.prompts[0].sources = {kPicture, kPicture};
  pairs.prompts[0].metadata = R"({"tag": "colors"})";
  const std::vector<Score> scores = reward.score(pairs.view());
  expect_ok(scores.at(0), 1);
  const nlohmann::json answer = nlohmann::json::parse(scores[0].raw_reply);
  const nlohmann::json request = answer.at("request");
  EXPECT_EQ(request.at("texts").at(0), "first");
  EXPECT_EQ(request.at("sources").size(), 2u);
  EXPECT_EQ(request.at("metadata").at("tag"), "colors");
  EXPECT_EQ(answer.at("size"), encode_png(kPicture).size());
  const std::filesystem::path image = request.at("image").get<std::string>();
  EXPECT_TRUE(image.is_absolute());
  EXPECT_FALSE(std::filesystem::exists(image.parent_path())) << "pictures outlive the batch";
}

TEST_F(CommandRewardTest, AnswersMayComeInAnyOrder) {
  CommandReward reward(options());
  const std::vector<Score> scores = score(reward, {"hold", "hold", "hold", "release"});
  for (size_t i = 0; i < scores.size(); ++i) expect_ok(scores[i], static_cast<double>(i));
}

TEST_F(CommandRewardTest, ChecksArriveAndACandidateMayLackAPicture) {
  CommandReward reward(options());
  Pairs pairs({"red", "blue"});
  pairs.candidates[1].images.clear();
  const std::vector<Score> scores = reward.score(pairs.view());
  expect_ok(scores.at(0), 3);
  expect_ok(scores.at(1), 4);
  ASSERT_EQ(scores[0].checks.size(), 1u);
  EXPECT_EQ(scores[0].checks[0].name, "has picture");
  EXPECT_EQ(scores[0].checks[0].value, 1);
  EXPECT_EQ(scores[1].checks[0].value, 0);
  EXPECT_TRUE(reward.score({}).empty());
}

TEST_F(CommandRewardTest, WrongAnswersMaskTheirSampleAlone) {
  CommandReward reward(options());
  const std::vector<Score> scores =
      score(reward, {"red", "nan", "huge", "word", "nothing", "bad check", "error", "red"});
  expect_ok(scores.at(0), 3);
  expect_masked(scores.at(1), "NaN");
  expect_masked(scores.at(2), "1e999");
  expect_masked(scores.at(3), "not an answer");
  expect_masked(scores.at(4), "not an answer");
  expect_masked(scores.at(5), "not an answer");
  expect_masked(scores.at(6), "no face found");
  expect_ok(scores.at(7), 3);
}

TEST_F(CommandRewardTest, OddFormsOfAnswers) {
  CommandReward reward(options());
  const std::vector<Score> scores = score(reward, {"number", "bar", "no text"});
  expect_ok(scores.at(0), 1);
  expect_ok(scores.at(1), 1);
  expect_masked(scores.at(2), "\xEF\xBF\xBD");  // U+FFFD
}

TEST_F(CommandRewardTest, WhatStandsInThePlaceOfAnAnswerIsNamedAtOnce) {
  CommandReward reward(options());
  ::testing::internal::CaptureStderr();
  const std::vector<Score> scores = score(reward, {"red", "garbage", "blue"});
  const std::string log = ::testing::internal::GetCapturedStderr();
  expect_ok(scores.at(0), 3);
  expect_masked(scores.at(1), "no answer, but the line 'score is 0.5'");
  expect_ok(scores.at(2), 4);
  EXPECT_NE(log.find("it wrote 'score is 0.5', which answers no open request; standard output is for answers"),
            std::string::npos)
      << log;
  expect_ok(score(reward, {"red"}).at(0), 3);  // the program runs on
}

TEST_F(CommandRewardTest, LinesThatAnswerNothingAreSkipped) {
  CommandReward reward(options());
  ::testing::internal::CaptureStderr();
  const std::vector<Score> scores = score(reward, {"chatter", "twice", "red"});
  const std::string log = ::testing::internal::GetCapturedStderr();
  expect_ok(scores.at(0), 1);
  expect_ok(scores.at(1), 0.25);
  expect_ok(scores.at(2), 3);
  EXPECT_NE(log.find("lines that answer no open request: 3, such as 'loading 50 %'"), std::string::npos) << log;
}

TEST_F(CommandRewardTest, ACrashMasksWhatItHadAndTheNextBatchRestarts) {
  CommandReward reward(options());
  ::testing::internal::CaptureStderr();
  const std::vector<Score> scores = score(reward, {"red", "crash"});
  const std::string log = ::testing::internal::GetCapturedStderr();
  expect_ok(scores.at(0), 3);
  expect_masked(scores.at(1), "exit status 3");
  EXPECT_NE(log.find("1 of 2 samples have no score: 1 x the program ended (exit status 3)"), std::string::npos) << log;
  expect_ok(score(reward, {"blue"}).at(0), 4);
  expect_masked(score(reward, {"signal"}).at(0), "signal 9");
  expect_ok(score(reward, {"blue"}).at(0), 4);
}

TEST_F(CommandRewardTest, NothingThatHoldsAPipeOpenKeepsItWaiting) {
  CommandReward reward(options());
  expect_masked(score(reward, {"crash with a child"}).at(0), "exit status 3");
  expect_masked(score(reward, {"close output"}).at(0), "it closed its standard output");
  expect_masked(score(reward, {"endless line"}).at(0), "it wrote a line of more than 1048576 bytes");
}

TEST_F(CommandRewardTest, WhatWasNotSentGoesToTheNextProcess) {
  CommandReward reward(options());
  // More than the socket holds, so that most requests are unsent when the program ends.
  const size_t count = 40;
  Pairs pairs(std::vector<std::string>(count, "red"));
  for (Candidate& candidate : pairs.candidates) candidate.texts = {std::string(100'000, 'x')};
  pairs.prompts[0].text = "crash";
  const std::vector<Score> scores = reward.score(pairs.view());
  expect_masked(scores.at(0), "exit status 3");
  const auto ok = std::ranges::count(scores, ScoreStatus::ok, &Score::status);
  const auto masked = std::ranges::count(scores, ScoreStatus::masked, &Score::status);
  EXPECT_EQ(ok + masked, static_cast<int64_t>(count));
  EXPECT_GT(ok, static_cast<int64_t>(count) / 2);
  expect_ok(scores.back(), 3);
}

TEST_F(CommandRewardTest, RestartsAreLimitedInARow) {
  CommandRewardOptions limited = options();
  limited.restarts = 1;
  CommandReward reward(limited);
  expect_masked(score(reward, {"crash"}).at(0), "exit status 3");
  expect_ok(score(reward, {"red"}).at(0), 3);  // the first restart; a full batch sets the count back
  expect_masked(score(reward, {"crash"}).at(0), "exit status 3");
  expect_masked(score(reward, {"crash"}).at(0), "exit status 3");
  for (const Score& each : score(reward, {"red", "blue"})) expect_masked(each, "no restarts left");
}

TEST_F(CommandRewardTest, TheDeadlineMasksAndEndsTheProgram) {
  CommandRewardOptions hasty = options();
  hasty.batch_seconds = 0.1;
  hasty.restarts = 0;
  CommandReward reward(hasty);
  for (const Score& each : score(reward, {"silent", "silent"})) expect_masked(each, "no answer within 0.1 s");
  expect_masked(score(reward, {"red"}).at(0), "no restarts left");
  hasty.batch_seconds = 0.5;
  CommandReward again(hasty);
  expect_masked(score(again, {"half a line"}).at(0), "\"score\": 1' without an end of the line");
}

TEST_F(CommandRewardTest, AUserWhoWantsAnEndIsNotKeptWaiting) {
  std::atomic<bool> wanted = false;
  CommandContext context{.stop_requested = [&] { return wanted.load(); }};
  CommandReward reward(options(), context);
  std::thread user([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    wanted = true;
  });
  expect_error([&] { score(reward, {"silent"}); }, ExitCode::interrupted, {"a signal to end"});
  user.join();
  expect_error([&] { CommandReward late({.command = {"cat"}}, context); }, ExitCode::interrupted, {"a signal to end"});
}

TEST_F(CommandRewardTest, TheProgramIsToldItsPlaceAndNotTheLaunchers) {
  ::setenv("RANK", "3", 1);
  CommandReward reward(options(), {.place = {.rank = 3, .world = 4, .local_rank = 1}});
  ::unsetenv("RANK");
  EXPECT_NE(score(reward, {"place"}).at(0).raw_reply.find(R"([null, "3"])"), std::string::npos);
}

TEST_F(CommandRewardTest, ItsStandardErrorGoesToTheLog) {
  CommandReward reward(options());
  ::testing::internal::CaptureStderr();
  expect_ok(score(reward, {"log"}).at(0), 1);
  score(reward, {"crash"});  // its end empties the pipe
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("reward command: warming\n"), std::string::npos) << log;
  EXPECT_NE(log.find("reward command: warm\n"), std::string::npos) << log;
}

TEST_F(CommandRewardTest, ThreadsShareOneProgram) {
  CommandReward reward(options());
  const std::vector<std::string> words = {"a", "bb", "ccc", "dddd"};
  std::vector<std::vector<Score>> scores(words.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < words.size(); ++i)
    threads.emplace_back([&, i] { scores[i] = score(reward, std::vector<std::string>(5, words[i])); });
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < words.size(); ++i) {
    ASSERT_EQ(scores[i].size(), 5u);
    for (const Score& each : scores[i]) expect_ok(each, static_cast<double>(words[i].size()));
  }
}

CommandContext trial_of(const std::string& prompt) {
  CommandContext context{.with_text = true, .image_height = 48, .image_width = 16};
  context.first_prompt = [prompt] {
    TaskPrompt first;
    first.text = prompt;
    first.metadata = R"({"colour": "röd"})";
    return first;
  };
  return context;
}

TEST_F(CommandRewardTest, TheTrialIsTheRunsFirstPrompt) {
  std::ofstream(folder_.path() / "picky.py") << R"(
import json, struct, sys
for line in sys.stdin:
    request = json.loads(line)
    header = open(request["image"], "rb").read(24)
    seen = [request["prompt"], request["metadata"]["colour"], "trial" in request["texts"][0], header[16:24].hex()]
    expected = ["a cat", "r\u00f6d", True, struct.pack(">II", 16, 48).hex()]
    print(json.dumps({"id": request["id"], "score": 1} if seen == expected else {"seen": seen}))
)";
  CommandRewardOptions picky{.command = {"python3", (folder_.path() / "picky.py").string()}};
  const CommandReward reward(picky, trial_of("a cat"));
  expect_error([&] { CommandReward other(picky, trial_of("a dog")); }, ExitCode::reward,
               {"picky.py", "tried out before any work", R"('{"seen": ["a dog")", "the first prompt, 'a dog'",
                R"(metadata {"colour":"röd"})", "16 x 48"});
}

TEST_F(CommandRewardTest, AProgramThatDoesNotAnswerIsFoundAtOnce) {
  const auto start = [](const std::vector<std::string>& command, double seconds = 600) {
    return [=] { CommandReward reward({.command = command, .start_seconds = seconds}, trial_of("a cat")); };
  };
  const auto shell = [&](const std::string& script) { return start({"sh", "-c", script}); };
  expect_error(start({}), ExitCode::config, {"reward.command", "none"});
  expect_error(start({"no-such-program-here"}), ExitCode::config, {"'no-such-program-here'", "No such file"});
  expect_error(start({"python3", "no_such_scorer.py"}), ExitCode::reward, {"no_such_scorer.py", "exit status 2"});
  expect_error(start({"cat"}), ExitCode::reward, {"not an answer", "a cat"});
  expect_error(start({"sh", "-c", "cat > /dev/null"}, 0.1), ExitCode::reward, {"no answer within 0.1 s"});
  // The first line that is no answer decides, and so does its beginning, whatever comes behind.
  expect_error(shell("echo score is 0.5; sleep 600"), ExitCode::reward, {"got 'score is 0.5'"});
  expect_error(shell(R"(printf 'ready\n{"id": 0, "score": 1}\n'; sleep 600)"), ExitCode::reward, {"got 'ready'"});
  expect_error(shell(R"(printf ' 50 %%\r'; sleep 600)"), ExitCode::reward, {"got ' 50 %'"});
  expect_error(shell("printf score; sleep 600"), ExitCode::reward, {"got 'score'"});
  expect_error(shell(R"(echo '{"id": 5, "score": 1}'; sleep 600)"), ExitCode::reward, {R"(got '{"id": 5)"});
  // An error is an answer.
  shell(R"(while read line; do echo '{"id": 0, "error": "too grey"}'; done)")();
}

TEST_F(CommandRewardTest, MetadataMustBeAnObject) {
  CommandReward reward(options());
  Pairs pairs({"red", "red"});
  pairs.prompts[1].metadata = "[1]";
  expect_error([&] { reward.score(pairs.view()); }, ExitCode::data, {"[1]", "a JSON object"});
  expect_ok(score(reward, {"blue"}).at(0), 4);
}

TEST_F(CommandRewardTest, TheWorkedExampleIsTheMeanByte) {
  Pairs pairs({"small", "mixed", "none"});
  Image& mixed = pairs.candidates[1].images[0];
  mixed = {.height = 50, .width = 70, .pixels = {}};
  for (int i = 0; i < 50 * 70 * 3; ++i) mixed.pixels.push_back(static_cast<uint8_t>(i * i / 37 % 256));
  pairs.candidates[2].images.clear();
  CommandReward reward({.command = {"python3", DIPTYCH_SOURCE_DIR "/recipes/scorers/brightness_scorer.py"}});
  const std::vector<Score> scores = reward.score(pairs.view());
  EXPECT_DOUBLE_EQ(scores.at(0).value.value(), 9 / 255.0);
  const double sum = std::accumulate(mixed.pixels.begin(), mixed.pixels.end(), 0.0);
  EXPECT_DOUBLE_EQ(scores.at(1).value.value(), sum / (255.0 * static_cast<double>(mixed.pixels.size())));
  EXPECT_EQ(scores[1].checks.size(), 2u);
  expect_masked(scores.at(2), "there is no picture");
}

}  // namespace
}  // namespace diptych
