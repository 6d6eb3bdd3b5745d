#include "diptych/serve/engine.h"

#include <algorithm>

#include "diptych/base/log.h"
#include "diptych/base/text_format.h"
#include "diptych/serve/cache_rows.h"

namespace diptych {

namespace {

using Clock = std::chrono::steady_clock;

// The rest of the rows is what gets appended between two compactions, so that these stay cheap.
int64_t most_live_rows(const EngineLimits& limits) {
  return limits.cache_rows / 4 * 3;
}

bool uses_dropped_contexts(const Job& job) {
  return job.paint && job.paint->guidance.text_scale > 1;
}

// Of a request without its prefix, at most.
int64_t rows_behind_prefix(const Job& job, const ContextPlan& plan) {
  const auto tail = static_cast<int64_t>(plan.tail.size());
  const int64_t text = job.text ? job.text->sampling.max_tokens + 2 : 0;
  return tail * (uses_dropped_contexts(job) ? 3 : 1) + job.count * text;
}

// First line of the message: torch appends a stack trace.
std::string first_line(const std::exception& error) {
  const std::string text = error.what();
  return text.substr(0, text.find('\n'));
}

}  // namespace

Engine::Engine(const Bagel& model, const Tokenizer& tokenizer, const EngineLimits& limits)
    : model_(model),
      tokenizer_(tokenizer),
      limits_(limits),
      token_bytes_(token_bytes_table(tokenizer, model.config.vocabulary)),
      cache_(make_cache(model)) {
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
  if (job.text) job.text->sampling.max_tokens = std::min(job.text->sampling.max_tokens, room);
  request->own_rows = rows_behind_prefix(job, request->plan);
  request->open = job.count;
  const int64_t prefix_rows = request->plan.rows - static_cast<int64_t>(request->plan.tail.size());
  if (prefix_rows + request->own_rows > most_live_rows(limits_) || job.count > limits_.sequences)
    throw invalid_request(cat("prompt, n and max_tokens together need ", prefix_rows + request->own_rows,
                              " rows of the cache and ", job.count, " sequences; this server has ",
                              most_live_rows(limits_), " and ", limits_.sequences));
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
      log_error("a pass of the model failed, and so do the requests in it: " + first_line(error));
      fail_all({500, "server_error", "the model failed on this request or on one beside it"});
    }
  }
}

bool Engine::round() {
  end_overdue();
  admit();
  write();
  paint();
  forget_ended();
  const std::lock_guard lock(mutex_);
  load_ = {static_cast<int64_t>(waiting_.size()), static_cast<int64_t>(active_.size()), cache_.used, prefixes_.rows()};
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
  std::vector<std::shared_ptr<Request>> admitted;
  int64_t rows_read = 0;
  while (const std::shared_ptr<Request> request = next_waiting(rows_read)) {
    rows_read += request->plan.rows;
    active_.push_back(request);
    admitted.push_back(request);
  }
  if (admitted.empty()) return;
  read_prefixes(admitted);
  for (const std::shared_ptr<Request>& request : admitted) begin(request);
}

// Takes the head of the queue if it fits beside what is under way, else nothing: no job overtakes another.
std::shared_ptr<Request> Engine::next_waiting(int64_t rows_read) {
  const std::lock_guard lock(mutex_);
  if (waiting_.empty()) return nullptr;
  std::shared_ptr<Request> request = waiting_.front();
  if (active_choices() + request->job.count > limits_.sequences) return nullptr;
  if (rows_read > 0 && rows_read + request->plan.rows > limits_.prefill_tokens) return nullptr;
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
    // Admitted in this round, with pieces still to be read.
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

// Piece by piece, each distinct one once, those of all requests in one pass.
void Engine::read_prefixes(const std::vector<std::shared_ptr<Request>>& requests) {
  for (const std::shared_ptr<Request>& request : requests)
    for (int64_t k = 0; k < request->prefix_pieces; ++k)
      request->cached_tokens += request->plan.prefix[static_cast<size_t>(k)].rows;
  for (;;) {
    std::vector<std::pair<const Job*, PrefixPiece>> missing;
    std::map<std::string, std::shared_ptr<Prefix>> fresh;
    std::vector<std::pair<Request*, std::shared_ptr<Prefix>>> readers;
    int64_t rows = 0;
    for (const std::shared_ptr<Request>& request : requests) {
      if (request->prefix_pieces == static_cast<int64_t>(request->plan.prefix.size())) continue;
      const PrefixPiece& piece = request->plan.prefix[static_cast<size_t>(request->prefix_pieces)];
      std::shared_ptr<Prefix>& prefix = fresh[piece.key];
      if (prefix == nullptr) {
        prefix = std::make_shared<Prefix>(Prefix{piece.key, {}, piece.rows, request->prefix});
        missing.emplace_back(&request->job, piece);
        rows += piece.rows;
      } else {
        request->cached_tokens += piece.rows;
      }
      readers.emplace_back(request.get(), prefix);
    }
    if (missing.empty()) return;
    make_room(rows);
    std::vector<CachedContext> contexts;
    for (const auto& [job, piece] : missing) {
      const std::shared_ptr<Prefix>& parent = fresh[piece.key]->parent;
      contexts.push_back(parent == nullptr ? CachedContext() : parent->context);
    }
    prefill(model_, cache_, piece_segments(model_, tokenizer_, missing), contexts);
    for (size_t k = 0; k < missing.size(); ++k) {
      const std::shared_ptr<Prefix>& prefix = fresh[missing[k].second.key];
      prefix->context = std::move(contexts[k]);
      prefixes_.insert(prefix);
    }
    for (const auto& [request, prefix] : readers) {
      request->prefix = prefix;
      ++request->prefix_pieces;
    }
  }
}

// Without the prompt: the images and what precedes them. Without the images: all texts (bagel.md 8.1).
void Engine::read_dropped_contexts(Request& request) {
  std::vector<std::vector<Segment>> chains(2);
  const std::vector<ContextPart>& parts = request.job.context;
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].image) continue;
    const std::vector<int64_t> ids = text_ids(tokenizer_, parts[i].text);
    if (request.prefix == nullptr && i + 1 < parts.size()) append_text(chains[0], ids);
    if (request.job.paint->guidance.image_scale > 1) append_text(chains[1], ids);
  }
  make_room(2 * static_cast<int64_t>(request.plan.rows));
  std::vector<CachedContext> contexts(2);
  prefill(model_, cache_, chains, contexts);
  request.text_dropped = request.prefix != nullptr ? request.prefix->context : std::move(contexts[0]);
  request.image_dropped = std::move(contexts[1]);
}

void Engine::begin(const std::shared_ptr<Request>& request) {
  if (uses_dropped_contexts(request->job)) read_dropped_contexts(*request);
  Sequence sequence;
  sequence.request = request;
  for (int64_t choice = 0; choice < request->job.count; ++choice) sequence.choices.push_back(choice);
  if (request->prefix != nullptr) sequence.context = request->prefix->context;
  sequence.pending = request->plan.tail;
  sequence.closing = !request->job.text;
  if (request->job.text) {
    sequence.pending.push_back(model_.special.im_start);
    sequence.text = TextAssembler(request->job.text->stops);
  }
  sequences_.push_back(std::move(sequence));
  counters_.prompt_tokens += request->plan.rows;
  counters_.cached_tokens += request->cached_tokens;
  request->mailbox->push(JobStarted{request->plan.rows, request->cached_tokens});
}

void Engine::write() {
  if (sequences_.empty()) return;
  int64_t rows = 0;
  for (const Sequence& sequence : sequences_) rows += static_cast<int64_t>(sequence.pending.size());
  make_room(rows);
  std::vector<Sequence> closed;
  write_step(model_, token_bytes_, cache_, sequences_, closed, counters_);
  for (Sequence& sequence : closed)
    for (const int64_t choice : sequence.choices)
      to_paint_.push_back({sequence.request, choice, sequence.context, sequence.thinking, sequence.sampled});
}

void Engine::paint() {
  if (painting_.chains.empty() && !to_paint_.empty()) painting_ = start_batch(model_, to_paint_, limits_.images);
  if (!painting_.chains.empty()) paint_step(model_, cache_, painting_, counters_);
}

void Engine::forget_ended() {
  std::erase_if(sequences_, [](const Sequence& sequence) { return sequence.request->ended; });
  std::erase_if(to_paint_, [](const PaintChain& chain) { return chain.request->ended; });
  drop_ended(painting_);
  std::erase_if(active_, [](const std::shared_ptr<Request>& request) { return request->ended; });
}

void Engine::make_room(int64_t rows) {
  if (cache_.used + rows <= limits_.cache_rows) return;
  std::vector<CachedContext*> contexts = prefixes_.contexts();
  for (const std::shared_ptr<Request>& request : active_) {
    contexts.push_back(&request->text_dropped);
    contexts.push_back(&request->image_dropped);
  }
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
  sequences_.clear();
  to_paint_.clear();
  painting_ = {};
  prefixes_ = {};
  cache_.used = 0;
  load_ = {static_cast<int64_t>(waiting_.size()), 0, 0, 0};
  changed_.notify_all();
}

}  // namespace diptych
