#include "diptych/shapes/prompts/prompts.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "diptych/base/text_format.h"
#include "diptych/shapes/prompts/facts.h"
#include "diptych/shapes/prompts/hash_text.h"
#include "diptych/shapes/world/caption.h"

namespace diptych::shapes {

namespace {

constexpr double kHeldOutShare = 0.15;  // of the combinations, to validation and to test each

using SplitPrompts = std::array<std::vector<Prompt>, 3>;
using Combinations = std::map<std::pair<uint64_t, std::string>, std::vector<Prompt>>;  // ordered by hash

std::string thing_of(const Prompt& prompt) {
  return prompt.fact < 0 ? "" : facts()[prompt.fact].thing;
}

/** Combinations that are dealt out together: those of one thing, or of one count. */
std::string stratum(const Prompt& prompt) {
  return cat(thing_of(prompt), ' ', prompt.request.clauses[0].count);
}

SplitPrompts split_family(std::string_view family) {
  std::map<std::string, Combinations> strata;
  for (Prompt& prompt : enumerate_family(family)) {
    const std::string key = combination(prompt);
    strata[stratum(prompt)][{hash_text(key), key}].push_back(std::move(prompt));
  }
  SplitPrompts splits;
  for (auto& [name, combinations] : strata) {
    const int held_out = std::max(1, static_cast<int>(std::lround(kHeldOutShare * combinations.size())));
    int rank = 0;
    for (auto& [key, prompts] : combinations) {
      const Split split = rank < held_out ? Split::validation : rank < 2 * held_out ? Split::test : Split::train;
      for (Prompt& prompt : prompts) splits[static_cast<size_t>(split)].push_back(std::move(prompt));
      ++rank;
    }
  }
  return splits;
}

std::map<std::string, SplitPrompts, std::less<>> split_all() {
  std::map<std::string, SplitPrompts, std::less<>> table;
  for (const std::string& family : all_families()) table.emplace(family, split_family(family));
  return table;
}

void shuffle(std::vector<Prompt>& prompts, Stream& stream) {
  for (size_t left = prompts.size(); left > 1; --left) std::swap(prompts[left - 1], prompts[stream.below(left)]);
}

}  // namespace

std::string combination(const Prompt& prompt) {
  return join(std::array{prompt.family, thing_of(prompt), canonical_text(prompt.request)}, " | ");
}

const std::vector<Prompt>& all_prompts(Split split, std::string_view family) {
  static const std::map<std::string, SplitPrompts, std::less<>> table = split_all();
  check_family(family);
  return table.find(family)->second[static_cast<size_t>(split)];
}

std::optional<Request> find_request(std::string_view text) {
  static const std::map<std::string, Request, std::less<>> requests = [] {
    std::map<std::string, Request, std::less<>> all;
    for (const std::string& family : all_families())
      for (const Prompt& prompt : enumerate_family(family)) all.emplace(prompt.text, prompt.request);
    return all;
  }();
  const auto found = requests.find(text);
  return found != requests.end() ? found->second : parse_caption(text);
}

const Prompt& sample_prompt(Stream& stream, Split split, const std::vector<std::string>& names) {
  const std::vector<Prompt>& prompts = all_prompts(split, names.at(stream.below(names.size())));
  return prompts[stream.below(prompts.size())];
}

std::vector<Prompt> evaluation_pool(Split split, bool implicit, int size, uint64_t seed) {
  std::vector<std::vector<Prompt>> decks;
  for (const std::string& family : families(implicit)) {
    decks.push_back(all_prompts(split, family));
    Stream stream({.seed = seed, .purpose = Purpose::prompt_order, .position = hash_text(family)});
    shuffle(decks.back(), stream);
  }
  std::vector<Prompt> pool;
  for (int index = 0; index < size; ++index) {
    const std::vector<Prompt>& deck = decks[index % decks.size()];
    pool.push_back(deck[(index / decks.size()) % deck.size()]);
  }
  return pool;
}

}  // namespace diptych::shapes
