#include "diptych/reward/judge_check/judge_probe.h"

#include <algorithm>
#include <cmath>

#include "diptych/base/ascii.h"
#include "diptych/base/text_format.h"
#include "diptych/reward/protocols/yes_probability.h"

namespace diptych {

namespace {

constexpr int kProbeSide = 224;
constexpr double kSumTolerance = 0.01;   // servers round log-probabilities
constexpr double kSortTolerance = 1e-6;  // natural logarithms
constexpr double kWellCovered = 0.9;     // of the first token's probability by yes and no
constexpr double kHardlyCovered = 0.5;   // below, v is a ratio of leftovers
constexpr double kSteady = 0.02;         // spread of v over repeats that batching explains
constexpr int kRepeats = 4;

enum class Colour { red, blue };

Image square(Colour colour) {
  Image image{kProbeSide, kProbeSide, {}};
  const std::vector<uint8_t> rgb =
      colour == Colour::red ? std::vector<uint8_t>{220, 20, 20} : std::vector<uint8_t>{20, 40, 220};
  for (int i = 0; i < kProbeSide * kProbeSide; ++i) image.pixels.insert(image.pixels.end(), rgb.begin(), rgb.end());
  return image;
}

ChatPart picture(Colour colour, ImageEncoding encoding = ImageEncoding::jpeg) {
  return {.text = "", .image = shared_image(square(colour)), .encoding = encoding};
}

ChatRequest request(std::vector<ChatPart> parts, const std::string& question) {
  parts.push_back({.text = question});
  ChatRequest request;
  request.messages = {{"user", std::move(parts)}};
  return request;
}

ChatRequest yes_no(std::vector<ChatPart> parts, const std::string& question) {
  ChatRequest asked = request(std::move(parts), question + " Answer with one word, yes or no.");
  asked.top_logprobs = YesNoOptions{}.top_logprobs;
  return asked;
}

using Alternatives = std::vector<std::pair<std::string, double>>;

double sum_of_probabilities(const Alternatives& top) {
  double sum = 0;
  for (const auto& [token, logprob] : top) sum += std::exp(logprob);
  return sum;
}

bool is_sorted(const Alternatives& top) {
  return std::is_sorted(top.begin(), top.end(),
                        [](const auto& a, const auto& b) { return a.second > b.second + kSortTolerance; });
}

JudgeProbe failed(const std::string& name, const std::string& detail) {
  return {name, ProbeOutcome::failed, detail};
}

JudgeProbe thinking_probe(const ChatReply& reply) {
  const std::string hint = "; switch thinking off (judge.disable_thinking, or another model)";
  if (!reply.reasoning.empty()) return failed("thinking", cat("the judge thinks before it answers", hint));
  if (trimmed(reply.text).starts_with("<think"))
    return failed("thinking", cat("the answer begins with a thought", hint));
  if (trimmed(reply.text).empty()) return failed("thinking", "the answer is empty: are all tokens spent on thoughts?");
  return {"thinking", ProbeOutcome::passed, "none"};
}

JudgeProbe image_probe(const ChatFunction& ask) {
  const std::string question = "What colour fills the picture? Answer with one word.";
  const std::vector<ChatResult> results = ask({request({picture(Colour::red, ImageEncoding::png)}, question),
                                               request({picture(Colour::blue, ImageEncoding::jpeg)}, question)});
  const char* sent[] = {"a PNG", "a JPEG"};
  const char* expected[] = {"red", "blue"};
  for (size_t i = 0; i < 2; ++i) {
    if (!results[i].reply) return failed("images", cat(sent[i], " was not accepted: ", results[i].failure));
    const std::string text = results[i].reply->text;
    if (ascii_lower(text).find(expected[i]) == std::string::npos)
      return failed("images", cat("shown ", sent[i], " full of ", expected[i], ", the judge sees '", text, "'"));
  }
  return {"images", ProbeOutcome::passed, "PNG and JPEG, colours right"};
}

JudgeProbe logprob_probe(const ChatResult& result) {
  if (!result.reply) return failed("log-probs", result.failure);
  const Alternatives& top = result.reply->tokens.front().top;
  const double sum = sum_of_probabilities(top);
  if (sum > 1 + kSumTolerance) return failed("log-probs", cat("the probabilities sum to ", fixed(sum, 3)));
  if (!is_sorted(top)) return {"log-probs", ProbeOutcome::warned, "the alternatives are not sorted"};
  return {"log-probs", ProbeOutcome::passed, cat(top.size(), " alternatives with ", fixed(100 * sum, 1), " % in all")};
}

JudgeProbe coverage_probe(const ChatResult& true_result, const ChatResult& false_result) {
  if (!false_result.reply) return failed("yes/no", false_result.failure);
  double covered = 1;
  double values[2] = {};
  const ChatResult* results[] = {&true_result, &false_result};
  for (size_t i = 0; i < 2; ++i) {
    const YesNoAnswer answer = yes_no_answer(*results[i]);
    if (!answer.yes) return failed("yes/no", answer.failure);
    covered = std::min(covered, answer.coverage);
    values[i] = *answer.yes;
  }
  const std::string seen = cat("yes and no cover ", fixed(100 * covered, 1), " %; v ", fixed(values[0], 3),
                               " for a true, ", fixed(values[1], 3), " for a false statement");
  if (covered < kHardlyCovered)
    return failed("yes/no", cat(seen, ": the judge does not answer yes or no, it began with '",
                                true_result.reply->tokens.front().token, "'"));
  if (values[0] <= 0.5 || values[1] >= 0.5) return failed("yes/no", cat(seen, ": a wrong answer to an easy question"));
  return {"yes/no", covered < kWellCovered ? ProbeOutcome::warned : ProbeOutcome::passed, seen};
}

JudgeProbe two_images_probe(const ChatFunction& ask) {
  const std::string question = "Is the first picture red?";
  const ChatPart red = picture(Colour::red);
  const ChatPart blue = picture(Colour::blue);
  const std::vector<ChatResult> results = ask({yes_no({red, blue}, question), yes_no({blue, red}, question)});
  const std::string consequence = "; rewards that compare two pictures (editing) will not work";
  std::vector<double> values;
  for (const ChatResult& result : results) {
    const YesNoAnswer answer = yes_no_answer(result);
    if (!answer.yes) return {"two images", ProbeOutcome::warned, cat(answer.failure, consequence)};
    values.push_back(*answer.yes);
  }
  if (values[0] <= 0.5 || values[1] >= 0.5)
    return {"two images", ProbeOutcome::warned, cat("the judge does not tell which comes first", consequence)};
  return {"two images", ProbeOutcome::passed, "told apart in order"};
}

JudgeProbe repeat_probe(const ChatFunction& ask, const ChatRequest& question) {
  double low = 1, high = 0;
  for (const ChatResult& result : ask(std::vector<ChatRequest>(kRepeats, question))) {
    const YesNoAnswer answer = yes_no_answer(result);
    if (!answer.yes) return failed("repeats", answer.failure);
    low = std::min(low, *answer.yes);
    high = std::max(high, *answer.yes);
  }
  const std::string seen = cat("v of ", kRepeats, " equal questions spreads by ", fixed(high - low, 4));
  if (high - low <= kSteady) return {"repeats", ProbeOutcome::passed, seen};
  return {"repeats", ProbeOutcome::warned,
          cat(seen, ": noise in the reward; does the server sample, or batch coarsely?")};
}

}  // namespace

std::vector<JudgeProbe> probe_judge(const ChatFunction& ask) {
  const ChatResult first = ask({request({}, "Is fire hot? Answer with one word, yes or no.")})[0];
  if (!first.reply) return {failed("reachable", first.failure)};
  std::vector<JudgeProbe> probes = {{"reachable", ProbeOutcome::passed, cat("says '", first.reply->text, "'")}};
  probes.push_back(thinking_probe(*first.reply));
  probes.push_back(image_probe(ask));
  if (probes.back().outcome == ProbeOutcome::failed) return probes;
  const ChatRequest is_red = yes_no({picture(Colour::red)}, "Is the picture red?");
  const std::vector<ChatResult> answers = ask({is_red, yes_no({picture(Colour::red)}, "Is the picture blue?")});
  probes.push_back(logprob_probe(answers[0]));
  if (!answers[0].reply) return probes;
  probes.push_back(coverage_probe(answers[0], answers[1]));
  probes.push_back(two_images_probe(ask));
  probes.push_back(repeat_probe(ask, is_red));
  return probes;
}

}  // namespace diptych
