// How prompts come into the cache: what they share with others piece by piece, then the rest of each.
#include "diptych/serve/engine/engine.h"

namespace diptych {

namespace {

Sequence sequence_of(const std::shared_ptr<Request>& request, const CachedContext& context, std::vector<int64_t> ids) {
  Sequence sequence;
  sequence.request = request;
  sequence.context = context;
  sequence.pending = std::move(ids);
  return sequence;
}

}  // namespace

// Moves each request along the pieces of its prefix that are read. Behind the last one it begins; a piece that nobody
// reads yet it reads itself.
void Engine::follow_prefixes() {
  for (const std::shared_ptr<Request>& request : active_) {
    if (request->begun || request->ended) continue;
    const std::vector<PrefixPiece>& pieces = request->plan.prefix;
    size_t k = static_cast<size_t>(request->prefix_pieces);
    for (; k < pieces.size(); ++k) {
      std::shared_ptr<Prefix> found = prefixes_.find(pieces[k].key);
      if (found == nullptr) break;
      request->prefix = std::move(found);
      request->cached_tokens += pieces[k].rows;
    }
    request->prefix_pieces = static_cast<int64_t>(k);
    if (k == pieces.size())
      begin(request);
    else if (!unread_.contains(pieces[k].key))
      read_piece(request, pieces[k]);
  }
}

void Engine::read_piece(const std::shared_ptr<Request>& request, const PrefixPiece& piece) {
  UnreadPiece& unread = unread_[piece.key];
  unread.reader = request;
  if (request->prefix != nullptr) unread.text.context = request->prefix->context;
  if (piece.text.empty()) return;
  unread.text.whole = false;
  Sequence sequence = sequence_of(request, unread.text.context, piece.text);
  sequence.closing = true;
  sequence.read = &unread.text;
  sequences_.push_back(std::move(sequence));
}

// What is behind the prefix, and the contexts of guidance.
void Engine::begin(const std::shared_ptr<Request>& request) {
  const ContextPlan& plan = request->plan;
  request->begun = true;
  if (uses_dropped_contexts(request->job)) {
    if (request->prefix != nullptr)
      request->text_dropped.context = request->prefix->context;
    else
      read_dropped(request, request->text_dropped, text_dropped_ids(plan));
    read_dropped(request, request->image_dropped, image_dropped_ids(request->job, plan));
  }
  Sequence sequence =
      sequence_of(request, request->prefix != nullptr ? request->prefix->context : CachedContext(), plan.tail);
  for (int64_t choice = 0; choice < request->job.count; ++choice) sequence.choices.push_back(choice);
  sequence.closing = !request->job.text;
  if (request->job.text) {
    sequence.pending.push_back(model_.special.im_start);
    sequence.text = TextAssembler(request->job.text->stops);
  }
  sequences_.push_back(std::move(sequence));
  counters_.prompt_tokens += plan.rows;
  counters_.cached_tokens += request->cached_tokens;
  request->mailbox->push(JobStarted{plan.rows, request->cached_tokens});
}

void Engine::read_dropped(const std::shared_ptr<Request>& request, ContextRead& read, const std::vector<int64_t>& ids) {
  if (ids.empty()) return;
  read.whole = false;
  Sequence sequence = sequence_of(request, {}, ids);
  sequence.closing = true;
  sequence.read = &read;
  sequences_.push_back(std::move(sequence));
}

// Images as far as the limit allows, at least one; then a part of each text, the same of all that are long.
void Engine::read() {
  int64_t rows_left = limits_.prefill_tokens;
  while (rows_left > 0 && read_images(rows_left)) follow_prefixes();
  std::vector<Sequence*> prompts;
  std::vector<int64_t> wishes;
  for (Sequence& sequence : sequences_) {
    sequence.part = 0;
    if (!sequence.reading) continue;
    prompts.push_back(&sequence);
    wishes.push_back(static_cast<int64_t>(sequence.pending.size()));
  }
  const std::vector<int64_t> parts = deal(wishes, limits_.prefill_tokens);
  for (size_t k = 0; k < prompts.size(); ++k) prompts[k]->part = parts[k];
  pass_texts();
}

// One pass over images whose texts in front are read, each distinct beginning once; false if there is none.
bool Engine::read_images(int64_t& rows_left) {
  std::vector<std::shared_ptr<Request>> readers;
  std::vector<std::pair<const Job*, const PrefixPiece*>> pieces;
  std::vector<CachedContext> contexts;
  int64_t rows = 0;
  for (const std::shared_ptr<Request>& request : active_) {
    if (request->begun || request->ended) continue;
    const PrefixPiece& piece = request->plan.prefix[static_cast<size_t>(request->prefix_pieces)];
    const UnreadPiece& unread = unread_.at(piece.key);
    if (unread.reader != request || !unread.text.whole) continue;
    const int64_t image_rows = piece.rows - static_cast<int64_t>(piece.text.size());
    if (!pieces.empty() && rows + image_rows > rows_left) break;
    rows += image_rows;
    readers.push_back(request);
    pieces.emplace_back(&request->job, &piece);
  }
  if (pieces.empty()) return false;
  rows_left -= rows;
  make_room(rows);
  for (const auto& [job, piece] : pieces) contexts.push_back(unread_.at(piece->key).text.context);
  const bool is_read = run_pass(readers, [&] { prefill(model_, cache_, image_segments(model_, pieces), contexts); });
  for (size_t k = 0; is_read && k < readers.size(); ++k) {
    Request& reader = *readers[k];
    reader.prefix = std::make_shared<Prefix>(
        Prefix{pieces[k].second->key, std::move(contexts[k]), pieces[k].second->rows, std::move(reader.prefix)});
    ++reader.prefix_pieces;
    prefixes_.insert(reader.prefix);
    unread_.erase(pieces[k].second->key);
  }
  return true;
}

}  // namespace diptych
