#include "diptych/reward/command_reward.h"

#include <stdlib.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "diptych/base/error.h"
#include "diptych/base/log.h"
#include "diptych/base/text_format.h"
#include "diptych/io/json.h"
#include "diptych/reward/line_process.h"

namespace diptych {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr const char* kWhere = "reward.command.program";
constexpr const char* kLogPrefix = "reward command: ";
constexpr size_t kQuotedLetters = 200;
constexpr size_t kReasonsInLog = 3;

/** A fresh folder for the pictures of a batch, gone with it. */
class PictureFolder {
 public:
  PictureFolder() : path_((fs::temp_directory_path() / "diptych_reward_XXXXXX").string()) {
    if (::mkdtemp(path_.data()) == nullptr)
      throw Error(ExitCode::io, {path_, "a temporary folder for pictures", std::strerror(errno), "set TMPDIR"});
  }
  ~PictureFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  PictureFolder(const PictureFolder&) = delete;
  PictureFolder& operator=(const PictureFolder&) = delete;

  /** Writes a PNG file and returns its path. */
  std::string write(const std::string& name, const Image& image) const {
    const std::string path = cat(path_, "/", name, ".png");
    const std::vector<uint8_t> bytes = encode_png(image);
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    if (!file.flush())
      throw Error(ExitCode::io, {path, "a picture that can be written", "an error", "free disk space"});
    return path;
  }

 private:
  std::string path_;
};

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
  // Sampled text may end inside a UTF-8 character.
  return request.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string quoted(const std::string& line) {
  return line.size() <= kQuotedLetters ? line : line.substr(0, kQuotedLetters) + " ...";
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
  PictureFolder folder = {};
  std::vector<Score> scores = std::vector<Score>(pairs.size());
  std::vector<bool> open = std::vector<bool>(pairs.size(), true);
  size_t open_count = pairs.size();
  size_t next = 0;               // the first sample that no process has been given
  int64_t protocol_answers = 0;  // scores and "error"s
  std::map<std::string, int64_t> reasons = {};
  int64_t strange_lines = 0;  // that answer nothing
  std::string first_strange_line = {};

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

  /** `asked`: the samples below it have been sent. */
  void take(const std::string& line, size_t asked) {
    const json answer = parse_json(line).value_or(nullptr);
    const json id = answer.is_object() ? answer.value("id", json()) : json(id_in_broken_line(line));
    const int64_t number = id.is_number_integer() ? id.get<int64_t>() : -1;
    const bool known = number >= first_id && number < first_id + static_cast<int64_t>(asked);
    const size_t sample = known ? static_cast<size_t>(number - first_id) : 0;
    if (!known || !open[sample]) {
      if (strange_lines++ == 0) first_strange_line = quoted(line);
      return;
    }
    Score score = parse_answer(answer, line);
    if (score.status == ScoreStatus::ok || answer.contains("error")) ++protocol_answers;
    close(sample, std::move(score));
  }

  void log_failures() const {
    if (strange_lines > 0) {
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

CommandReward::CommandReward(const CommandRewardOptions& options) : options_(options) {
  process_ = std::make_unique<LineProcess>(options_.command, kWhere, kLogPrefix);
  check_start();
}

CommandReward::~CommandReward() = default;

void CommandReward::check_start() {
  TaskPrompt prompt;
  prompt.text = "a photo of a grey square";
  const Image grey{.height = 32, .width = 32, .pixels = std::vector<uint8_t>(32 * 32 * 3, 128)};
  const Candidate candidate{.prompt = prompt.text, .texts = {}, .images = {grey}};
  const std::vector<ScoredPair> pairs = {{&prompt, &candidate}};
  Batch batch{.pairs = pairs, .first_id = next_id_++, .allowed_restarts = 0};
  ask(batch, options_.start_seconds);
  if (batch.protocol_answers == 1) return;
  std::string got = batch.scores[0].raw_reply;
  if (batch.strange_lines > 0) got += cat("; it wrote '", batch.first_strange_line, "'");
  throw Error(ExitCode::reward, {cat(kWhere, " ", join(options_.command, " ")),
                                 "a line such as {\"id\": 0, \"score\": 0.5} to each request", got,
                                 "its own messages, if any, are above; recipes/scorers holds a program that works"});
}

std::vector<Score> CommandReward::score(const std::vector<ScoredPair>& pairs) {
  const std::lock_guard lock(mutex_);
  Batch batch{.pairs = pairs, .first_id = next_id_, .allowed_restarts = options_.restarts};
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
    process_ = std::make_unique<LineProcess>(options_.command, kWhere, kLogPrefix);
  } catch (const Error& error) {
    batch.mask_open(batch.pairs.size(), error.what());
  }
  return process_ != nullptr;
}

void CommandReward::ask(Batch& batch, double seconds) {
  const auto deadline = LineProcess::Clock::now() + std::chrono::duration_cast<LineProcess::Clock::duration>(
                                                        std::chrono::duration<double>(seconds));
  while (batch.open_count > 0 && ensure_process(batch)) {
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
    for (const std::string& line : lines) batch.take(line, asked);
    if (state == LineProcess::State::running) continue;
    if (state == LineProcess::State::timed_out) {
      batch.mask_open(batch.pairs.size(), cat("no answer within ", seconds, " s"));
      process_->kill();
    } else {
      batch.mask_open(asked, cat("the program ended (", process_->how_it_ended(), ") without an answer"));
      batch.next = asked;
    }
    process_.reset();
  }
}

}  // namespace diptych
