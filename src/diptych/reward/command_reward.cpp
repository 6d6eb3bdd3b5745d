#include "diptych/reward/command_reward.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "diptych/base/error.h"
#include "diptych/base/log.h"
#include "diptych/base/text_format.h"
#include "diptych/io/json.h"
#include "diptych/reward/line_process.h"
#include "diptych/reward/picture_folder.h"
#include "diptych/text/unicode.h"

namespace diptych {

using nlohmann::json;
using Clock = LineProcess::Clock;

namespace {

constexpr const char* kWhere = "reward.command.program";
constexpr const char* kLogPrefix = "reward command: ";
constexpr size_t kQuotedLetters = 200;
constexpr size_t kReasonsInLog = 3;
constexpr Clock::duration kPatience = std::chrono::seconds(2);  // with a program that answers something else
constexpr double kLargestId = 1e15;                             // exact as a double

json metadata_of(const TaskPrompt& prompt) {
  if (prompt.metadata.empty()) return json::object();
  json metadata = json::parse(prompt.metadata, nullptr, false);
  if (!metadata.is_object()) {
    throw Error(ExitCode::data,
                {cat("metadata of the prompt '", prompt.text, "'"), "a JSON object", "'" + prompt.metadata + "'", ""});
  }
  return metadata;
}

/** The line that asks about a pair, after its pictures are written. */
std::string request_line(int64_t id, const ScoredPair& pair, const PictureFolder& folder) {
  json request = {{"id", id},         {"prompt", pair.prompt->text}, {"texts", pair.candidate->texts},
                  {"image", nullptr}, {"sources", json::array()},    {"metadata", metadata_of(*pair.prompt)}};
  if (!pair.candidate->images.empty()) request["image"] = folder.write(cat(id), pair.candidate->images.back());
  for (const Image& source : pair.prompt->sources)
    request["sources"].push_back(folder.write(cat(id, "_", request["sources"].size()), source));
  // Sampled text may end inside a UTF-8 character. ASCII alone is read alike in every locale.
  return request.dump(-1, ' ', true, json::error_handler_t::replace);
}

/** For logs and records: cut off, and valid UTF-8 whatever the program wrote. */
std::string quoted(const std::string& line) {
  return repair_utf8(line.size() <= kQuotedLetters ? line : line.substr(0, kQuotedLetters) + " ...");
}

/** The id of an answer, -1 for none. */
int64_t id_of(const json& answer) {
  const json id = answer.value("id", json());
  const double number = id.is_number() ? id.get<double>() : -1;
  return number == std::floor(number) && number >= 0 && number < kLargestId ? static_cast<int64_t>(number) : -1;
}

/** The number after the first "id" of a line that is not valid JSON, such as one with NaN in it; -1 without one. */
int64_t id_in_broken_line(const std::string& line) {
  const std::string key = "\"id\"";
  const size_t place = line.find(key);
  if (place == std::string::npos) return -1;
  const size_t digits = line.find_first_not_of(" \t:", place + key.size());
  int64_t id = -1;
  if (digits != std::string::npos) std::from_chars(line.data() + digits, line.data() + line.size(), id);
  return id;
}

/** Whether a line that begins like this may become an answer: a JSON object. */
bool could_be_answer(const std::string& start) {
  const size_t first = start.find_first_not_of(" \t");
  return first == std::string::npos || start[first] == '{';
}

/** Of a program that has stopped in the middle of a line. */
std::string unfinished(const LineProcess& process) {
  const std::string& line = process.unfinished_line();
  return line.empty() ? "" : cat("; it wrote '", quoted(line), "' without an end of the line");
}

std::optional<double> finite_number(const json& value) {
  if (value.is_boolean()) return value.get<bool>() ? 1 : 0;
  if (!value.is_number() || !std::isfinite(value.get<double>())) return std::nullopt;
  return value.get<double>();
}

Score masked(const std::string& reason) {
  return {.value = std::nullopt, .checks = {}, .status = ScoreStatus::masked, .raw_reply = reason};
}

/** The score that an answer holds: ok, or masked with the reason in `raw_reply`. */
Score parse_answer(const json& answer, const std::string& line) {
  const Score broken = masked("not an answer: " + quoted(line));
  if (!answer.is_object()) return broken;
  if (answer.contains("error")) {
    const json& error = answer["error"];
    return masked("it reports: " + quoted(error.is_string() ? error.get<std::string>() : error.dump()));
  }
  Score score;
  score.value = finite_number(answer.value("score", json()));
  score.raw_reply = line;
  if (!score.value) return broken;
  const json checks = answer.value("checks", json::object());
  if (!checks.is_object()) return broken;
  for (const auto& [name, value] : checks.items()) {
    const std::optional<double> number = finite_number(value);
    if (!number) return broken;
    score.checks.push_back({name, *number});
  }
  return score;
}

}  // namespace

/** What is known of the samples of one call. Sample i has the id first_id + i; they are asked in this order. */
struct CommandReward::Batch {
  const std::vector<ScoredPair>& pairs;
  int64_t first_id;
  int64_t allowed_restarts;
  bool is_trial;
  std::set<int64_t>& given_up;  // of earlier batches
  PictureFolder folder = {};
  std::vector<Score> scores = std::vector<Score>(pairs.size());
  std::vector<bool> open = std::vector<bool>(pairs.size(), true);
  size_t open_count = pairs.size();
  size_t next = 0;               // the first sample that no process has been given
  int64_t protocol_answers = 0;  // scores and "error"s
  std::map<std::string, int64_t> reasons = {};
  size_t strange_lines = 0;             // that answer nothing
  size_t strange_lines_of_process = 0;  // since it was started
  std::string first_strange_line = {};
  Clock::time_point last_line = Clock::now();
  Clock::duration longest_silence = {};

  void close(size_t sample, Score score) {
    if (score.status == ScoreStatus::masked) ++reasons[score.raw_reply];
    scores[sample] = std::move(score);
    open[sample] = false;
    --open_count;
  }

  /** Masks the open samples below `end`. */
  void mask_open(size_t end, const std::string& reason) {
    for (size_t i = 0; i < end; ++i) {
      if (open[i]) close(i, masked(reason));
    }
  }

  void take_strange(const std::string& line) {
    ++strange_lines_of_process;
    if (strange_lines++ > 0) return;
    first_strange_line = quoted(line);
    if (is_trial) return;
    log_warning(cat(kLogPrefix, "it wrote '", first_strange_line,
                    "', which answers no open request; standard output is for answers"));
  }

  /** `asked`: the samples below it have been sent. */
  void take(const std::string& line, size_t asked) {
    const json answer = parse_json(line).value_or(nullptr);
    const int64_t number = answer.is_object() ? id_of(answer) : id_in_broken_line(line);
    const bool known = number >= first_id && number < first_id + static_cast<int64_t>(asked);
    const size_t sample = known ? static_cast<size_t>(number - first_id) : 0;
    if (given_up.erase(number) > 0) return;
    if (!known || !open[sample]) return take_strange(line);
    Score score = parse_answer(answer, line);
    if (score.status == ScoreStatus::ok || answer.contains("error")) ++protocol_answers;
    close(sample, std::move(score));
  }

  /** Lines of one moment. */
  void take_all(const std::vector<std::string>& lines, size_t asked) {
    if (lines.empty()) return;
    const auto now = Clock::now();
    longest_silence = std::max(longest_silence, now - last_line);
    last_line = now;
    for (const std::string& line : lines) {
      if (is_trial && (strange_lines > 0 || open_count == 0)) return;  // it is decided
      take(line, asked);
    }
  }

  /** Whether the program has written a line for each of its requests, and has been silent since. */
  bool is_answered_otherwise(size_t unsent) const {
    return strange_lines_of_process > 0 && strange_lines_of_process >= open_count && next == pairs.size() &&
           unsent == 0 && Clock::now() - last_line > std::max(kPatience, 2 * longest_silence);
  }

  void give_up() {
    for (size_t i = 0; i < pairs.size(); ++i)
      if (open[i]) given_up.insert(first_id + static_cast<int64_t>(i));
    mask_open(pairs.size(), cat("no answer, but the line '", first_strange_line, "'"));
  }

  void log_failures() const {
    if (strange_lines > 1) {
      log_warning(cat(kLogPrefix, "lines that answer no open request: ", strange_lines, ", such as '",
                      first_strange_line, "'"));
    }
    if (reasons.empty()) return;
    std::vector<std::string> parts;
    int64_t masked = 0;
    for (const auto& [reason, count] : reasons) {
      if (parts.size() < kReasonsInLog) parts.push_back(cat(count, " x ", reason));
      masked += count;
    }
    if (reasons.size() > parts.size()) parts.push_back(cat(reasons.size() - parts.size(), " other reasons"));
    log_warning(cat(kLogPrefix, masked, " of ", pairs.size(), " samples have no score: ", join(parts, "; ")));
  }
};

CommandReward::CommandReward(const CommandRewardOptions& options, CommandContext context)
    : options_(options), context_(std::move(context)) {
  remove_left_pictures();
  start_process();
  try_out();
}

CommandReward::~CommandReward() = default;

void CommandReward::start_process() {
  given_up_.clear();
  process_ = std::make_unique<LineProcess>(options_.command, scorer_environment(context_.place), kWhere, kLogPrefix);
}

void CommandReward::try_out() {
  const TaskPrompt prompt = context_.first_prompt();
  const int height = context_.image_height, width = context_.image_width;
  const Image grey{.height = height,
                   .width = width,
                   .pixels = std::vector<uint8_t>(3 * static_cast<size_t>(height) * static_cast<size_t>(width), 128)};
  Candidate candidate{.prompt = prompt.text, .texts = {}, .images = {grey}};
  if (context_.with_text) candidate.texts = {cat("<think> a trial </think> ", prompt.text)};
  const std::vector<ScoredPair> pairs = {{&prompt, &candidate}};
  Batch batch{.pairs = pairs, .first_id = next_id_++, .allowed_restarts = 0, .is_trial = true, .given_up = given_up_};
  ask(batch, options_.start_seconds);
  if (batch.strange_lines == 0 && batch.protocol_answers == 1) return;
  if (process_) process_->kill();
  const std::string got = batch.strange_lines > 0 ? cat("'", batch.first_strange_line, "'") : batch.scores[0].raw_reply;
  throw Error(
      ExitCode::reward,
      {cat(kWhere, " ", join(options_.command, " ")),
       "a line such as {\"id\": 0, \"score\": 0.5} when it was tried out before any work", got,
       cat("it was asked about the first prompt, '", quoted(prompt.text), "', with the metadata ",
           quoted(metadata_of(prompt).dump()), " and a grey picture of ", width, " x ", height,
           " pixels. Its standard output is for answers alone; what it wrote on standard error, if anything, is above. "
           "recipes/scorers holds a program that works")});
}

std::vector<Score> CommandReward::score(const std::vector<ScoredPair>& pairs) {
  const std::lock_guard lock(mutex_);
  Batch batch{.pairs = pairs,
              .first_id = next_id_,
              .allowed_restarts = options_.restarts,
              .is_trial = false,
              .given_up = given_up_};
  next_id_ += static_cast<int64_t>(pairs.size());
  ask(batch, options_.batch_seconds);
  batch.log_failures();
  if (batch.protocol_answers == static_cast<int64_t>(pairs.size())) restarts_in_a_row_ = 0;
  return std::move(batch.scores);
}

bool CommandReward::ensure_process(Batch& batch) {
  if (process_) return true;
  if (restarts_in_a_row_ >= batch.allowed_restarts) {
    batch.mask_open(batch.pairs.size(), "the program has ended and has no restarts left");
    return false;
  }
  ++restarts_in_a_row_;
  try {
    start_process();
  } catch (const Error& error) {
    batch.mask_open(batch.pairs.size(), error.what());
  }
  return process_ != nullptr;
}

void CommandReward::ask(Batch& batch, double seconds) {
  const auto deadline =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  while (batch.open_count > 0 && ensure_process(batch)) {
    if (context_.stop_requested())
      throw Error(ExitCode::interrupted, {kWhere, "answers of the program", "a signal to end", ""});
    const auto unsent = [&] { return static_cast<size_t>(process_->lines_queued() - process_->lines_sent()); };
    // One line at a time, so that the program works while the next picture is encoded.
    if (unsent() == 0 && batch.next < batch.pairs.size()) {
      const size_t sample = batch.next++;
      const int64_t id = batch.first_id + static_cast<int64_t>(sample);
      process_->queue(request_line(id, batch.pairs[sample], batch.folder));
    }
    std::vector<std::string> lines;
    const LineProcess::State state = process_->exchange(lines, deadline);
    const size_t asked = batch.next - std::min(batch.next, unsent());
    batch.take_all(lines, asked);
    if (batch.is_trial && !could_be_answer(process_->unfinished_line()))
      batch.take_strange(process_->unfinished_line());
    if (batch.is_trial && batch.strange_lines > 0) return;
    if (batch.is_answered_otherwise(unsent())) batch.give_up();
    if (state == LineProcess::State::running) continue;
    if (state == LineProcess::State::timed_out) {
      batch.mask_open(batch.pairs.size(), cat("no answer within ", seconds, " s", unfinished(*process_)));
      process_->kill();
    } else {
      batch.mask_open(
          asked, cat("the program ended (", process_->how_it_ended(), ") without an answer", unfinished(*process_)));
      batch.next = asked;
    }
    process_.reset();
    batch.strange_lines_of_process = 0;
  }
}

}  // namespace diptych
