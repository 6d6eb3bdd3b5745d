#include "diptych/serve/engine/text_batch.h"

#include <tuple>

#include "diptych/base/error.h"
#include "diptych/tensor/device.h"
#include "diptych/text/byte_alphabet.h"

namespace diptych {

namespace {

// Reads a part of what is pending; returns the last und row of each sequence.
std::vector<int64_t> read_pending(const Bagel& model, KvCache& cache, std::vector<Sequence>& sequences,
                                  PackOutput& output) {
  std::vector<Segment> segments;
  for (const Sequence& sequence : sequences) {
    const std::vector<int64_t> part(sequence.pending.begin(), sequence.pending.begin() + sequence.part);
    segments.push_back(text_segment(part, -1, sequence.context.position));
    segments.back().cached = sequence.context.rows;
  }
  output = forward(model, segments, &cache);
  std::vector<int64_t> last;
  for (size_t k = 0; k < sequences.size(); ++k) {
    CachedContext& context = sequences[k].context;
    for (const int64_t row : cache_rows(output, k)) context.rows.push_back(row);
    context.position = next_position(segments[k]);
    std::vector<int64_t>& pending = sequences[k].pending;
    pending.erase(pending.begin(), pending.begin() + sequences[k].part);
    if (pending.empty()) sequences[k].reading = false;
    last.push_back(output.layout.segments[k].text_begin + output.layout.segments[k].text_count - 1);
  }
  return last;
}

/** A text that samples a token in this pass, and the row of its logits. */
struct Draw {
  Sequence sequence;
  int64_t row = 0;
};

// Sequences that sample, one per choice. Those that were closing move to `closed`, and those whose prompt has parts
// left stay.
std::vector<Draw> part_choices(std::vector<Sequence>& sequences, const std::vector<int64_t>& last,
                               std::vector<Sequence>& closed) {
  std::vector<Draw> draws;
  std::vector<Sequence> reading;
  for (size_t k = 0; k < sequences.size(); ++k) {
    if (sequences[k].reading) {
      reading.push_back(std::move(sequences[k]));
      continue;
    }
    if (sequences[k].closing) {
      closed.push_back(std::move(sequences[k]));
      continue;
    }
    const std::vector<int64_t> choices = sequences[k].choices;
    for (const int64_t choice : choices) {
      Sequence own = choice == choices.back() ? std::move(sequences[k]) : sequences[k];
      own.choices = {choice};
      draws.push_back({std::move(own), last[k]});
    }
  }
  sequences = std::move(reading);
  return draws;
}

// Logits of the draws, [draws, vocabulary]; requests with logits that are not finite fail and leave the list.
Tensor finite_logits(const Bagel& model, const Tensor& und, std::vector<Draw>& draws) {
  std::vector<int64_t> rows;
  for (const Draw& draw : draws) rows.push_back(draw.row);
  const Tensor values = logits(model, und.index_select(0, index_on(rows, und.device())));
  const Tensor finite = values.isfinite().all(1).cpu();
  std::vector<Draw> sound;
  std::vector<int64_t> kept;
  for (size_t k = 0; k < draws.size(); ++k) {
    if (finite[static_cast<int64_t>(k)].item<bool>()) {
      kept.push_back(static_cast<int64_t>(k));
      sound.push_back(std::move(draws[k]));
    } else if (!draws[k].sequence.request->ended) {
      fail(*draws[k].sequence.request, {500, "server_error", "the model computed numbers that are not finite"});
    }
  }
  draws = std::move(sound);
  return values.index_select(0, index_on(kept, values.device()));
}

const TextStage& stage_of(const Draw& draw) {
  return *draw.sequence.request->job.text;
}

double uniform_of(const Draw& draw) {
  const StreamKey key{.seed = draw.sequence.request->job.seed,
                      .purpose = Purpose::think,
                      .sample = static_cast<uint64_t>(draw.sequence.choices.front()),
                      .position = static_cast<uint64_t>(draw.sequence.sampled)};
  return Stream(key).uniform();
}

// Texts with equal sampling parameters are picked together.
std::vector<int64_t> picks(const Tensor& values, const std::vector<Draw>& draws) {
  std::map<std::tuple<double, double, int64_t>, std::vector<int64_t>> groups;
  for (size_t k = 0; k < draws.size(); ++k) {
    const TextSampling& sampling = stage_of(draws[k]).sampling;
    groups[{sampling.temperature, sampling.top_p, sampling.top_k}].push_back(static_cast<int64_t>(k));
  }
  std::vector<int64_t> picked(draws.size());
  for (const auto& [parameters, members] : groups) {
    std::vector<double> uniforms;
    for (const int64_t k : members) uniforms.push_back(uniform_of(draws[static_cast<size_t>(k)]));
    const Tensor ids = pick_tokens(values.index_select(0, index_on(members, values.device())),
                                   stage_of(draws[static_cast<size_t>(members.front())]).sampling,
                                   on_device(at::tensor(uniforms, at::kDouble), values.device()))
                           .cpu();
    for (size_t m = 0; m < members.size(); ++m)
      picked[static_cast<size_t>(members[m])] = ids[static_cast<int64_t>(m)].item<int64_t>();
  }
  return picked;
}

// Scores of the draws that ask for them.
std::map<size_t, TokenScore> scores(const Tensor& values, const std::vector<Draw>& draws,
                                    const std::vector<int64_t>& picked, const std::vector<std::string>& token_bytes) {
  std::vector<int64_t> members;
  std::vector<int64_t> ids;
  int64_t listed = 0;
  for (size_t k = 0; k < draws.size(); ++k) {
    if (!stage_of(draws[k]).logprobs) continue;
    members.push_back(static_cast<int64_t>(k));
    ids.push_back(picked[k]);
    listed = std::max(listed, stage_of(draws[k]).top_logprobs);
  }
  std::map<size_t, TokenScore> result;
  if (members.empty()) return result;
  const Tensor logprobs = values.index_select(0, index_on(members, values.device())).log_softmax(1);
  const Tensor chosen = logprobs.gather(1, index_on(ids, values.device()).unsqueeze(1)).to(at::kDouble).cpu();
  const auto [best, best_ids] = logprobs.topk(std::min(listed, logprobs.size(1)), 1);
  const Tensor top = best.to(at::kDouble).cpu().contiguous();
  const Tensor top_ids = best_ids.cpu().contiguous();
  for (size_t m = 0; m < members.size(); ++m) {
    const auto row = static_cast<int64_t>(m);
    const auto k = static_cast<size_t>(members[m]);
    TokenScore& score = result[k];
    score.bytes = token_bytes[static_cast<size_t>(picked[k])];
    score.logprob = chosen[row][0].item<double>();
    const int64_t count = std::min(stage_of(draws[k]).top_logprobs, top.size(1));
    for (int64_t i = 0; i < count; ++i)
      score.top.emplace_back(token_bytes[static_cast<size_t>(top_ids[row][i].item<int64_t>())],
                             top[row][i].item<double>());
  }
  return result;
}

// Hands a token of a chat on; true if the text goes on.
bool say(Sequence& sequence, int64_t token, const std::string& bytes, std::optional<TokenScore> score, int64_t im_end) {
  Request& request = *sequence.request;
  const int64_t choice = sequence.choices.front();
  const char* reason = "stop";
  if (token != im_end) {
    request.mailbox->push(TextAdded{choice, sequence.text.push(bytes), std::move(score)});
    const bool full = sequence.sampled == request.job.text->sampling.max_tokens;
    if (!sequence.text.stopped() && !full) {
      sequence.pending = {token};
      return true;
    }
    if (!sequence.text.stopped()) reason = "length";
  }
  request.mailbox->push(TextDone{choice, sequence.text.finish(), reason, sequence.sampled});
  close_one(request);
  return false;
}

// A thought is read to its end before the image: one that meets the cap is closed by an im_end of its own.
void think(Sequence& sequence, int64_t token, const std::string& bytes, int64_t im_end) {
  sequence.pending = {token};
  if (token == im_end) {
    sequence.closing = true;
    return;
  }
  sequence.thinking += bytes;
  if (sequence.sampled < sequence.request->job.text->sampling.max_tokens) return;
  sequence.pending.push_back(im_end);
  sequence.closing = true;
}

}  // namespace

std::vector<std::string> token_bytes_table(const Tokenizer& tokenizer, int64_t vocabulary) {
  std::vector<std::string> table(static_cast<size_t>(vocabulary));
  for (int64_t id = 0; id < std::min(vocabulary, tokenizer.size()); ++id) {
    try {
      table[static_cast<size_t>(id)] = token_bytes(tokenizer.token(id)).value_or(tokenizer.token(id));
    } catch (const Error&) {
      continue;  // a hole in the vocabulary
    }
  }
  return table;
}

void write_step(const Bagel& model, const std::vector<std::string>& token_bytes, KvCache& cache,
                std::vector<Sequence>& sequences, std::vector<Sequence>& closed, EngineCounters& counters) {
  at::NoGradGuard no_grad;
  PackOutput output;
  const std::vector<int64_t> last = read_pending(model, cache, sequences, output);
  ++counters.text_passes;
  std::vector<Draw> draws = part_choices(sequences, last, closed);
  if (draws.empty()) return;
  const Tensor values = finite_logits(model, output.und, draws);
  if (draws.empty()) return;
  const std::vector<int64_t> picked = picks(values, draws);
  std::map<size_t, TokenScore> scored = scores(values, draws, picked, token_bytes);
  counters.sampled_tokens += static_cast<int64_t>(draws.size());
  for (size_t k = 0; k < draws.size(); ++k) {
    Sequence& sequence = draws[k].sequence;
    ++sequence.sampled;
    const std::string& bytes = token_bytes[static_cast<size_t>(picked[k])];
    bool goes_on = true;
    if (sequence.request->job.paint) {
      think(sequence, picked[k], bytes, model.special.im_end);
    } else {
      std::optional<TokenScore> score;
      if (const auto found = scored.find(k); found != scored.end()) score = std::move(found->second);
      goes_on = say(sequence, picked[k], bytes, std::move(score), model.special.im_end);
    }
    if (goes_on && !sequence.request->ended) sequences.push_back(std::move(sequence));
  }
}

}  // namespace diptych
