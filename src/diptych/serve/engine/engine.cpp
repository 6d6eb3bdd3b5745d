#include "diptych/serve/engine/engine.h"

#include <algorithm>
#include <iterator>

#include "diptych/base/log.h"
#include "diptych/base/text_format.h"
#include "diptych/serve/engine/cache_rows.h"
#include "diptych/tensor/device.h"

namespace diptych {

namespace {

// What shares the time, in the order of TimeShares.
constexpr size_t kRead = 0;
constexpr size_t kWrite = 1;
constexpr size_t kPaint = 2;
constexpr size_t kActivities = 3;

// A quarter of the rows is for what gets appended between two compactions, so that these stay cheap, and for the steps
// of painting.
int64_t most_live_rows(const EngineLimits& limits) {
  return limits.cache_rows / 4 * 3;
}

// Of one image's step. A batch has at most half of it, if that is more than one image.
int64_t most_step_rows(const EngineLimits& limits) {
  return limits.cache_rows / 4;
}

// First line of the message: torch appends a stack trace.
std::string first_line(const std::exception& error) {
  const std::string text = error.what();
  return text.substr(0, text.find('\n'));
}

}  // namespace

Engine::Engine(const Bagel& model, const Tokenizer& tokenizer, const EngineLimits& limits, Now now)
    : model_(model),
      tokenizer_(tokenizer),
      limits_(limits),
      token_bytes_(token_bytes_table(tokenizer, model.config.vocabulary)),
      now_(std::move(now)),
      cache_(make_cache(model)),
      shares_(kActivities) {
  reserve_rows(cache_, limits.cache_rows);
}

Engine::~Engine() {
  drain(std::chrono::milliseconds(0));
}

void Engine::submit(Job job, std::shared_ptr<Mailbox> mailbox, Clock::time_point deadline) {
  auto request = std::make_shared<Request>();
  request->plan = plan_context(model_.config, tokenizer_, job.context, job.image_context);
  const int64_t room = limits_.max_context - request->plan.rows - 2;  // im_start and im_end of the text
  if (room < 1)
    throw invalid_request(
        cat("the prompt has ", request->plan.rows, " tokens; with its answer it may have ", limits_.max_context), "",
        "context_length_exceeded");
  const int64_t prompt_rows = rows_of_prompt(job, request->plan);
  const int64_t prefix_rows = request->plan.rows - static_cast<int64_t>(request->plan.tail.size());
  const int64_t cache_room = most_live_rows(limits_) - prefix_rows - prompt_rows;  // for all texts
  const int64_t text_room = cache_room / job.count - 2;
  if ((job.text ? text_room < 1 : cache_room < 0) || job.count > limits_.sequences)
    throw invalid_request(cat("the prompt needs ", prefix_rows + prompt_rows, " rows of the cache, and n is ",
                              job.count, "; this server has ", most_live_rows(limits_), " rows and ", limits_.sequences,
                              " sequences"));
  if (job.paint && rows_of_step(*job.paint) > most_step_rows(limits_))
    throw invalid_request(cat("painting an image of this size needs ", rows_of_step(*job.paint),
                              " rows of the cache; this server has ", most_step_rows(limits_), " for it"),
                          "size");
  request->own_rows = prompt_rows;
  if (job.text) {
    int64_t& max_tokens = job.text->sampling.max_tokens;
    max_tokens = std::min({max_tokens, room, text_room});
    request->own_rows += job.count * (max_tokens + 2);
  }
  request->open = job.count;
  request->job = std::move(job);
  request->mailbox = std::move(mailbox);
  request->deadline = deadline;
  const std::lock_guard lock(mutex_);
  if (draining_) throw ApiError(503, "server_error", "the server is shutting down", "", "shutting_down");
  if (static_cast<int64_t>(waiting_.size()) >= limits_.waiting)
    throw ApiError(429, "rate_limit_error", "the queue is full; try again in a moment", "", "queue_full");
  waiting_.push_back(std::move(request));
  load_.waiting = static_cast<int64_t>(waiting_.size());
  changed_.notify_all();
}

void Engine::start() {
  thread_ = std::thread([this] { run(); });
}

void Engine::drain(std::chrono::milliseconds time) {
  {
    std::unique_lock lock(mutex_);
    draining_ = true;
    if (thread_.joinable()) changed_.wait_for(lock, time, [&] { return waiting_.empty() && load_.active == 0; });
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  fail_all({503, "server_error", "the server is shutting down", "", "shutting_down"});
}

EngineLoad Engine::load() const {
  const std::lock_guard lock(mutex_);
  return load_;
}

void Engine::run() {
  bool busy = false;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return busy || stopping_ || !waiting_.empty(); });
      if (stopping_) return;
    }
    try {
      busy = round();
    } catch (const std::exception& error) {
      log_error("the server failed, and so do all requests under way: " + first_line(error));
      fail_all({500, "server_error", "the server failed on this request or on one beside it"});
    }
  }
}

bool Engine::round() {
  end_overdue();
  admit();
  const auto is_read = [](const auto& entry) { return entry.second.text.whole; };
  const auto is_prompt = [](const Sequence& sequence) { return sequence.reading; };
  const bool reads = std::ranges::any_of(unread_, is_read) || std::ranges::any_of(sequences_, is_prompt);
  const bool writes = !std::ranges::all_of(sequences_, is_prompt);
  const bool paints = !painting_.chains.empty() || std::ranges::any_of(to_paint_, can_be_painted);
  if (reads || writes || paints) {
    const size_t activity = shares_.next({reads, writes, paints});
    const Clock::time_point start = now_();
    if (activity == kRead) read();
    if (activity == kWrite) write();
    if (activity == kPaint) paint();
    shares_.charge(activity, now_() - start);
  }
  forget_ended();
  const std::lock_guard lock(mutex_);
  load_ = {static_cast<int64_t>(waiting_.size()), static_cast<int64_t>(active_.size()), cache_.used, prefixes_.rows(),
           cache_.keys.front().size(0)};
  if (waiting_.empty() && active_.empty()) changed_.notify_all();
  return !waiting_.empty() || !active_.empty();
}

// Also frees those in the queue whose clients have gone.
void Engine::end_overdue() {
  const Clock::time_point now = Clock::now();
  const auto check = [&](const std::shared_ptr<Request>& request) {
    if (request->mailbox->abandoned())
      request->ended = true;
    else if (now >= request->deadline && !request->ended)
      fail(*request, {504, "server_error", "the request took longer than the server allows", "", "timeout"});
    return request->ended;
  };
  for (const std::shared_ptr<Request>& request : active_) check(request);
  forget_ended();
  const std::lock_guard lock(mutex_);
  std::erase_if(waiting_, check);
}

int64_t Engine::active_choices() const {
  int64_t choices = 0;
  for (const std::shared_ptr<Request>& request : active_) choices += request->job.count;
  return choices;
}

void Engine::admit() {
  while (const std::shared_ptr<Request> request = next_waiting()) {
    for (int64_t k = 0; k < request->prefix_pieces; ++k)
      request->cached_tokens += request->plan.prefix[static_cast<size_t>(k)].rows;
    active_.push_back(request);
  }
  follow_prefixes();
}

// Takes the head of the queue if it fits beside what is under way, else nothing: no job overtakes another.
std::shared_ptr<Request> Engine::next_waiting() {
  const std::lock_guard lock(mutex_);
  if (waiting_.empty()) return nullptr;
  std::shared_ptr<Request> request = waiting_.front();
  if (active_choices() + request->job.count > limits_.sequences) return nullptr;
  if (!reserve(*request)) return nullptr;
  waiting_.pop_front();
  ++load_.active;  // so that drain() waits for it
  return request;
}

// Whether the rows of the request fit; prefixes that nobody uses make way. What it finds of its own prefix stays.
bool Engine::reserve(Request& request) {
  int64_t taken = 0;
  for (const std::shared_ptr<Request>& other : active_) {
    taken += other->own_rows;
    // With pieces still to be read.
    const size_t known = static_cast<size_t>(other->prefix_pieces);
    for (size_t k = known; k < other->plan.prefix.size(); ++k) taken += other->plan.prefix[k].rows;
  }
  int64_t needed = request.own_rows;
  request.prefix = nullptr;
  request.prefix_pieces = 0;
  for (const PrefixPiece& piece : request.plan.prefix) {
    std::shared_ptr<Prefix> found = prefixes_.find(piece.key);
    if (found == nullptr) break;
    request.prefix = std::move(found);
    ++request.prefix_pieces;
  }
  for (size_t k = static_cast<size_t>(request.prefix_pieces); k < request.plan.prefix.size(); ++k)
    needed += request.plan.prefix[k].rows;
  const int64_t left = most_live_rows(limits_) - taken - needed;
  prefixes_.shrink_to(std::max<int64_t>(0, left));
  if (prefixes_.rows() <= left) return true;
  request.prefix = nullptr;
  return false;
}

void Engine::write() {
  for (Sequence& sequence : sequences_)
    sequence.part = sequence.reading ? 0 : static_cast<int64_t>(sequence.pending.size());
  pass_texts();
}

// One pass over the sequences that have a part in it.
void Engine::pass_texts() {
  int64_t rows = 0;
  for (const Sequence& sequence : sequences_) rows += sequence.part;
  if (rows == 0) return;
  make_room(rows);
  std::vector<Sequence> sequences;
  std::vector<Sequence> others;
  std::vector<std::shared_ptr<Request>> requests;
  for (Sequence& sequence : sequences_) {
    if (sequence.part > 0) requests.push_back(sequence.request);
    (sequence.part > 0 ? sequences : others).push_back(std::move(sequence));
  }
  sequences_ = std::move(others);
  std::vector<Sequence> closed;
  const bool passed =
      run_pass(requests, [&] { write_step(model_, token_bytes_, cache_, sequences, closed, counters_); });
  if (!passed) return;
  std::ranges::move(sequences, std::back_inserter(sequences_));
  for (Sequence& sequence : closed) {
    if (sequence.read != nullptr) {
      *sequence.read = {std::move(sequence.context), /*whole=*/true};
      continue;
    }
    for (const int64_t choice : sequence.choices)
      to_paint_.push_back({sequence.request, choice, sequence.context, sequence.thinking, sequence.sampled});
  }
}

void Engine::paint() {
  if (painting_.chains.empty()) painting_ = take_batch(to_paint_, limits_.images, most_step_rows(limits_) / 2);
  std::vector<std::shared_ptr<Request>> requests;
  for (const PaintChain& chain : painting_.chains) requests.push_back(chain.request);
  const int64_t rows = rows_of_step(*requests.front()->job.paint) * static_cast<int64_t>(requests.size());
  make_room(rows);
  if (!run_pass(requests, [&] { paint_step(model_, cache_, painting_, counters_); })) painting_ = {};
}

// If the pass throws, the requests in it fail, and nobody else: the cache is as it was. False then. Waits for the
// device, so that the pass's time and faults are its own.
bool Engine::run_pass(const std::vector<std::shared_ptr<Request>>& requests, const std::function<void()>& pass) {
  try {
    pass();
    synchronise(model_.embed_tokens.device());
    return true;
  } catch (const std::exception& error) {
    log_error("a pass of the model failed, and so do the requests in it: " + first_line(error));
    for (const std::shared_ptr<Request>& request : requests)
      if (!request->ended)
        fail(*request, {500, "server_error", "the model failed on this request or on one in the same pass"});
  }
  return false;
}

void Engine::forget_ended() {
  std::erase_if(sequences_, [](const Sequence& sequence) { return sequence.request->ended; });
  std::erase_if(to_paint_, [](const PaintChain& chain) { return chain.request->ended; });
  drop_ended(painting_);
  std::erase_if(unread_, [](const auto& entry) { return entry.second.reader->ended; });
  std::erase_if(active_, [](const std::shared_ptr<Request>& request) { return request->ended; });
}

void Engine::make_room(int64_t rows) {
  if (cache_.used + rows <= limits_.cache_rows) return;
  std::vector<CachedContext*> contexts = prefixes_.contexts();
  for (const std::shared_ptr<Request>& request : active_) {
    contexts.push_back(&request->text_dropped.context);
    contexts.push_back(&request->image_dropped.context);
  }
  for (auto& [key, unread] : unread_) contexts.push_back(&unread.text.context);
  for (Sequence& sequence : sequences_) contexts.push_back(&sequence.context);
  for (PaintChain& chain : to_paint_) contexts.push_back(&chain.context);
  for (PaintChain& chain : painting_.chains) contexts.push_back(&chain.context);
  compact(cache_, contexts);
  ++counters_.compactions;
}

void Engine::fail_all(const ApiError& error) {
  const std::lock_guard lock(mutex_);
  if (stopping_) {
    for (const std::shared_ptr<Request>& request : waiting_) fail(*request, error);
    waiting_.clear();
  }
  for (const std::shared_ptr<Request>& request : active_)
    if (!request->ended) fail(*request, error);
  active_.clear();
  unread_.clear();
  sequences_.clear();
  to_paint_.clear();
  painting_ = {};
  prefixes_ = {};
  cache_.used = 0;
  load_ = {static_cast<int64_t>(waiting_.size()), 0, 0, 0, cache_.keys.front().size(0)};
  changed_.notify_all();
}

}  // namespace diptych
