#include "diptych/distributed/roll_call.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>

#include "diptych/base/text_format.h"
#include "diptych/distributed/rank_state.h"

namespace diptych {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

namespace {

constexpr int kPatience = 5;                  // beats without a sign of life before a rank counts as silent
constexpr int kDoubt = 2;                     // the same before the others are looked at too
constexpr milliseconds kStorePatience{5000};  // a store that takes longer does not answer

}  // namespace

struct RollCall::Shared {
  using Task = std::packaged_task<std::string(Shared&)>;

  KeyStore store;  // the thread's own
  std::string prefix;
  ProcessPlace place;
  milliseconds beat;
  int patience;  // looks without a sign of life before a rank is found dead

  // Of the thread alone:
  std::vector<bool> silent;         // ranks found dead
  int watched;                      // the rank that it looks at once a beat
  SilentLooks looks{};              // at that rank
  std::vector<RankState> before{};  // all ranks as they were when doubts arose
  Clock::time_point doubts_arose{};

  mutable std::mutex mutex{};  // of what follows
  std::condition_variable changed{};
  RankState own{};
  std::optional<std::string> verdict{};
  std::deque<Task> tasks{};
  bool stop = false;
  bool ended = false;
  bool unanswered = false;  // the store has not answered for so long that it is not asked again

  std::string state_key(int rank) const { return cat(prefix, "state/", rank); }
  std::string verdict_key() const { return prefix + "verdict"; }
  std::string holder() const { return place.agent_store ? "the launcher" : "rank 0"; }

  void publish() {
    std::string text;
    {
      const std::lock_guard lock(mutex);
      ++own.beat;
      text = to_text(own);
    }
    store.set(state_key(place.rank), text);
  }

  bool hear_verdict() {
    if (!store.has(verdict_key())) return false;
    keep_verdict(store.get(verdict_key()));
    return true;
  }

  /** The first verdict stays. */
  void keep_verdict(const std::string& text) {
    const std::lock_guard lock(mutex);
    if (!verdict) verdict = text;
  }

  std::string give_verdict(const std::string& text) {
    const std::string first = store.set_if_absent(verdict_key(), text);
    keep_verdict(first);
    return first;
  }

  RankState look_at(int rank) {
    const std::string key = state_key(rank);
    return store.has(key) ? parse_rank_state(store.get(key)) : RankState();  // one that never spoke
  }

  std::vector<RankState> look() {
    std::vector<RankState> states;
    for (int rank = 0; rank < place.world; ++rank) states.push_back(look_at(rank));
    return states;
  }

  void note_silent(const std::vector<RankState>& past, const std::vector<RankState>& now) {
    for (int rank = 0; rank < place.world; ++rank) silent[rank] = !now[rank].left && now[rank].beat == past[rank].beat;
  }

  /** Each rank watches the next one in the circle that has not left: so every death is seen, by one look a beat. */
  void watch() {
    if (watched == place.rank) return;  // all others have left
    const RankState state = look_at(watched);
    if (state.left) {
      watched = (watched + 1) % place.world;
      looks = {};
      return;
    }
    const int count = looks.count(state);
    if (count == kDoubt) {
      before = look();
      doubts_arose = Clock::now();
    }
    if (count < patience) return;
    const std::vector<RankState> now = look();
    note_silent(before, now);
    const auto between = std::chrono::duration_cast<milliseconds>(Clock::now() - doubts_arose);
    if (silent[watched]) give_verdict(find_missing(before, now, /*number=*/0, between));
  }

  std::string find_culprit(int64_t number, const std::string& failure) {
    publish();
    const auto begin = Clock::now();
    const std::vector<RankState> first = look();
    std::vector<RankState> now = first;
    for (int waited = 0; waited < kPatience && !all_heard_of(first, now) && !hear_verdict(); ++waited) {
      std::this_thread::sleep_for(beat);
      publish();
      now = look();
    }
    if (!hear_verdict()) note_silent(first, now);
    const auto between = std::chrono::duration_cast<milliseconds>(Clock::now() - begin);
    const std::string missing = find_missing(first, now, number, between);
    return give_verdict(!missing.empty()
                            ? missing
                            : cat("every rank runs and has come by now, but the connection failed as rank ", place.rank,
                                  " saw it: ", failure));
  }

  /** Whether nobody is left who may need the store. */
  bool others_left() {
    const std::vector<RankState> states = look();
    for (int rank = 0; rank < place.world; ++rank)
      if (rank != place.rank && !states[rank].left && !silent[rank]) return false;
    return true;
  }

  /** What the thread does until it is told to stop. */
  void keep_telling() {
    std::unique_lock lock(mutex);
    while (!stop || !tasks.empty()) {
      if (!tasks.empty()) {
        Task task = std::move(tasks.front());
        tasks.pop_front();
        lock.unlock();
        task(*this);
        lock.lock();
        continue;
      }
      lock.unlock();
      publish();
      if (!hear_verdict()) watch();
      lock.lock();
      changed.wait_for(lock, beat, [&] { return stop || !tasks.empty(); });
    }
    own.left = true;
    lock.unlock();
    publish();
    if (place.rank != 0 || place.agent_store) return;
    const auto end = Clock::now() + kPatience * beat;
    while (!others_left() && Clock::now() < end) std::this_thread::sleep_for(std::min(beat, milliseconds(50)));
  }

  void run() {
    try {
      keep_telling();
    } catch (const std::exception&) {
      keep_verdict(holder() + " is gone: it held the store where the ranks meet");
    }
    {
      const std::lock_guard lock(mutex);
      ended = true;
      tasks.clear();  // whoever waits for one hears of a broken promise
    }
    changed.notify_all();
  }

  /** Has the thread run a task. Nothing if the store is gone or does not answer in time. */
  std::optional<std::string> ask(std::function<std::string(Shared&)> action, milliseconds patience) {
    Task task(std::move(action));
    std::future<std::string> answer = task.get_future();
    {
      const std::lock_guard lock(mutex);
      if (ended || unanswered) return std::nullopt;
      tasks.push_back(std::move(task));
    }
    changed.notify_all();
    if (answer.wait_for(patience) != std::future_status::ready) {
      keep_verdict(holder() + " does not answer: it holds the store where the ranks meet");
      const std::lock_guard lock(mutex);
      unanswered = true;
      return std::nullopt;
    }
    try {
      return answer.get();
    } catch (const std::exception&) {
      keep_verdict(holder() + " is gone: it held the store where the ranks meet");
      return std::nullopt;
    }
  }
};

RollCall::RollCall(KeyStore store, const std::string& prefix, const ProcessPlace& place, milliseconds beat,
                   milliseconds silence)
    : shared_(new Shared{.store = std::move(store),
                         .prefix = prefix,
                         .place = place,
                         .beat = beat,
                         .patience = static_cast<int>(std::max<int64_t>(kPatience, silence / beat)),
                         .silent = std::vector<bool>(place.world),
                         .watched = (place.rank + 1) % place.world}) {
  shared_->publish();
  thread_ = std::thread([shared = shared_] { shared->run(); });
}

RollCall::~RollCall() {
  std::unique_lock lock(shared_->mutex);
  shared_->stop = true;
  shared_->changed.notify_all();
  // A store whose process is stopped never answers.
  const auto patience = shared_->unanswered ? milliseconds(0) : (kPatience + 1) * shared_->beat + kStorePatience;
  const bool ended = shared_->changed.wait_for(lock, patience, [&] { return shared_->ended; });
  lock.unlock();
  if (ended) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

void RollCall::come_to(int64_t number, const std::string& what) {
  const std::lock_guard lock(shared_->mutex);
  shared_->own.number = number;
  shared_->own.what = what;
  shared_->own.waiting = true;
}

void RollCall::done() {
  const std::lock_guard lock(shared_->mutex);
  shared_->own.waiting = false;
}

std::optional<std::string> RollCall::verdict() const {
  const std::lock_guard lock(shared_->mutex);
  return shared_->verdict;
}

std::string RollCall::find_culprit(int64_t number, const std::string& failure) {
  if (const auto known = verdict()) return *known;
  const auto found = shared_->ask([=](Shared& shared) { return shared.find_culprit(number, failure); },
                                  kPatience * shared_->beat + kStorePatience);
  return found ? *found : *verdict();
}

std::string RollCall::announce(const std::string& verdict) {
  const auto heard = shared_->ask([=](Shared& shared) { return shared.give_verdict(verdict); }, kStorePatience);
  return heard ? *heard : *this->verdict();
}

}  // namespace diptych
