#pragma once
// Captions: the canonical words of a request, and back. "three red circles", "a circle left of a square".

#include <optional>
#include <string>
#include <string_view>

#include "diptych/shapes/world/request.h"

namespace diptych::shapes {

/** "one" to "four", else digits, which parse_caption does not read: prompts hold at most four objects. */
std::string count_word(int count);

/** The words with "a" or "an" before them. */
std::string with_article(const std::string& words);

/** Name of the objects of a clause without their number: "red circle", "red circles", "objects". */
std::string noun_phrase(const Clause& clause, bool plural);

/** The clause with its number: "a red circle", "three circles". */
std::string clause_phrase(const Clause& clause);

/** Words that state exactly what the request fixes. A position joins two clauses by its relation; otherwise " and "
 *  joins them. The request holds one clause or more, two if it has a position. */
std::string caption(const Request& request);

/** The caption with numbers for articles: "one red circle and two blue squares". */
std::string counted_caption(const Request& request);

/** The thought of a prompt that hides nothing: "this needs one red circle and one blue square ." */
std::string restatement(const Request& request);

/** Reads a caption back; nullopt for any other text. Forgives "a" for "an" or "one", a wrong plural and a leading
 *  "a photo of", for texts that a model wrote. parse_caption(caption(r)) == r if clause 0 is the subject of r. */
std::optional<Request> parse_caption(std::string_view text);

/** A text that is equal for requests that ask for the same pictures, such as "a circle left of a square" and
 *  "a square right of a circle". */
std::string canonical_text(const Request& request);

}  // namespace diptych::shapes
