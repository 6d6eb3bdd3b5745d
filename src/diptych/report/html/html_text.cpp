#include "diptych/report/html/html_text.h"

#include "diptych/base/text_format.h"
#include "diptych/report/html/escape.h"

namespace diptych {

namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t place = text.find(from); place != text.npos; place = text.find(from, place + to.size()))
    text.replace(place, from.size(), to);
}

}  // namespace

std::string sentence_html(std::string_view sentence) {
  std::string html;
  bool is_code = false;
  for (size_t begin = 0; begin <= sentence.size();) {
    const size_t end = std::min(sentence.find('`', begin), sentence.size());
    const std::string part = escape_html(sentence.substr(begin, end - begin));
    html += is_code ? cat("<code>", part, "</code>") : part;
    is_code = !is_code;
    begin = end + 1;
  }
  replace_all(html, " %", "&nbsp;%");
  return html;
}

std::string with_pale_tags(std::string html) {
  for (const char* tag : {"&lt;think&gt;", "&lt;/think&gt;"})
    replace_all(html, tag, cat("<span class=\"pale\">", tag, "</span>"));
  return html;
}

std::string sampled_html(std::string_view text) {
  return with_pale_tags(escape_html(text));
}

std::string facts_html(const std::vector<std::pair<std::string, std::string>>& facts) {
  if (facts.empty()) return "";
  std::string html = "<dl class=\"facts\">";
  for (const auto& [name, value] : facts)
    html += cat("<div><dt>", escape_html(name), "</dt><dd>", escape_html(value), "</dd></div>");
  return html + "</dl>\n";
}

std::string folded_html(bool open, const std::string& summary, const std::string& content,
                        const std::string& css_class) {
  return cat("<details", css_class.empty() ? "" : cat(" class=\"", css_class, "\""), open ? " open" : "", "><summary>",
             summary, "</summary>\n", content, "</details>\n");
}

std::string colour_mark(size_t run) {
  return cat("<i class=\"mark b", run % kRunColours, "\"></i>");
}

std::string section_html(const std::string& id, const std::string& title, const std::string& content) {
  if (content.empty()) return "";
  return cat("<section id=\"", id, "\">\n<h2>", escape_html(title), "</h2>\n", content, "</section>\n");
}

}  // namespace diptych
