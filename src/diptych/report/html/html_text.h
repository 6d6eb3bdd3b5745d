#pragma once
// Texts and tables as HTML.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace diptych {

/** A sentence with its `names` in code letters; a percent sign stays with its number. */
std::string sentence_html(std::string_view sentence);

/** A sampled text with its <think> tags pale. */
std::string sampled_html(std::string_view text);

/** The same for HTML that was escaped already. */
std::string with_pale_tags(std::string html);

/** A definition list of (name, value); nothing for no facts. */
std::string facts_html(const std::vector<std::pair<std::string, std::string>>& facts);

/** A part that can be folded. `summary` is HTML, as is the content. */
std::string folded_html(bool open, const std::string& summary, const std::string& content,
                        const std::string& css_class = "");

/** Colours of runs, as the CSS classes c0, c1, … of report_style.h; further runs begin again. */
inline constexpr size_t kRunColours = 7;

/** The mark of run number `run`, for legends. */
std::string colour_mark(size_t run);

/** A part of the page; nothing where the content is empty. */
std::string section_html(const std::string& id, const std::string& title, const std::string& content);

}  // namespace diptych
