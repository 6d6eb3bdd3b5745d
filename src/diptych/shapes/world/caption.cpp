#include "diptych/shapes/world/caption.h"

#include <algorithm>
#include <sstream>
#include <vector>

#include "diptych/base/text_format.h"

namespace diptych::shapes {

namespace {

constexpr std::array<std::string_view, 4> kCountWords = {"one", "two", "three", "four"};

std::string plural_of(std::string_view noun) {
  return cat(noun, noun.ends_with('s') ? "es" : "s");
}

template <class Names>
std::optional<int> index_of(const Names& names, std::string_view word) {
  const auto found = std::find(names.begin(), names.end(), word);
  if (found == names.end()) return std::nullopt;
  return static_cast<int>(found - names.begin());
}

/** Words of a text, read from the left. */
struct Words {
  std::vector<std::string> words;
  size_t next = 0;

  bool done() const { return next == words.size(); }
  bool take(std::string_view word) {
    if (done() || words[next] != word) return false;
    ++next;
    return true;
  }
};

std::optional<int> read_count(Words& text) {
  if (text.take("a") || text.take("an")) return 1;
  if (text.done()) return std::nullopt;
  const std::optional<int> index = index_of(kCountWords, text.words[text.next]);
  if (!index) return std::nullopt;
  ++text.next;
  return *index + 1;
}

bool take_noun(Words& text, std::string_view noun) {
  return text.take(noun) || text.take(plural_of(noun));
}

std::optional<Clause> read_clause(Words& text) {
  const std::optional<int> count = read_count(text);
  if (!count || text.done()) return std::nullopt;
  Clause clause;
  clause.count = *count;
  if (const std::optional<int> colour = index_of(kColourNames, text.words[text.next])) {
    clause.colour = static_cast<Colour>(*colour);
    ++text.next;
  }
  if (take_noun(text, "object")) return clause;
  for (size_t shape = 0; shape < kShapeNames.size(); ++shape) {
    if (!take_noun(text, kShapeNames[shape])) continue;
    clause.shape = static_cast<Shape>(shape);
    return clause;
  }
  return std::nullopt;
}

std::optional<Relation> read_relation(Words& text) {
  if (text.take("above")) return Relation::above;
  if (text.take("below")) return Relation::below;
  const bool left = text.take("left");
  if (!left && !text.take("right")) return std::nullopt;
  if (!text.take("of")) return std::nullopt;
  return left ? Relation::left_of : Relation::right_of;
}

std::string counted_phrase(const Clause& clause) {
  return cat(count_word(clause.count), ' ', noun_phrase(clause, clause.count > 1));
}

std::string joined(const Request& request, std::string (*phrase)(const Clause&)) {
  if (request.position) {
    const Position& position = *request.position;
    return cat(phrase(request.clauses.at(position.subject)), ' ', to_string(position.relation), ' ',
               phrase(request.clauses.at(position.reference)));
  }
  std::vector<std::string> phrases;
  for (const Clause& clause : request.clauses) phrases.push_back(phrase(clause));
  return join(phrases, " and ");
}

}  // namespace

std::string count_word(int count) {
  const bool has_word = count >= 1 && count <= static_cast<int>(kCountWords.size());
  return has_word ? std::string(kCountWords[count - 1]) : cat(count);
}

std::string with_article(const std::string& words) {
  const bool vowel = std::string_view("aeiou").find(words.front()) != std::string_view::npos;
  return cat(vowel ? "an " : "a ", words);
}

std::string noun_phrase(const Clause& clause, bool plural) {
  const std::string_view noun = clause.shape ? to_string(*clause.shape) : "object";
  const std::string form = plural ? plural_of(noun) : std::string(noun);
  return clause.colour ? cat(to_string(*clause.colour), ' ', form) : form;
}

std::string clause_phrase(const Clause& clause) {
  if (clause.count == 1) return with_article(noun_phrase(clause, false));
  return counted_phrase(clause);
}

std::string caption(const Request& request) {
  return joined(request, clause_phrase);
}

std::string counted_caption(const Request& request) {
  return joined(request, counted_phrase);
}

std::string restatement(const Request& request) {
  return cat("this needs ", counted_caption(request), " .");
}

std::optional<Request> parse_caption(std::string_view text) {
  Words words;
  std::istringstream stream{std::string(text)};
  for (std::string word; stream >> word;) words.words.push_back(word);
  if (words.take("a") && !(words.take("photo") && words.take("of"))) words.next = 0;

  Request request;
  do {
    const std::optional<Clause> clause = read_clause(words);
    if (!clause) return std::nullopt;
    request.clauses.push_back(*clause);
  } while (words.take("and"));
  if (words.done()) return request;

  const std::optional<Relation> relation = read_relation(words);
  const std::optional<Clause> reference = relation ? read_clause(words) : std::nullopt;
  if (!reference || !words.done() || request.clauses.size() != 1) return std::nullopt;
  request.clauses.push_back(*reference);
  request.position = Position{0, *relation, 1};
  return request;
}

std::string canonical_text(const Request& request) {
  if (request.position) {
    Request turned = request;
    Position& position = *turned.position;
    if (position.relation == Relation::right_of || position.relation == Relation::below)
      position = {position.reference, opposite(position.relation), position.subject};
    return caption(turned);
  }
  Request sorted = request;
  std::sort(sorted.clauses.begin(), sorted.clauses.end(),
            [](const Clause& a, const Clause& b) { return clause_phrase(a) < clause_phrase(b); });
  return caption(sorted);
}

}  // namespace diptych::shapes
