#include "diptych/report/html/escape.h"

#include <gtest/gtest.h>

namespace diptych {
namespace {

TEST(EscapeHtmlTest, ReplacesWhatMeansSomething) {
  EXPECT_EQ(escape_html("<b a='1' c=\"2\"> & </b>"), "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt; &amp; &lt;/b&gt;");
  EXPECT_EQ(escape_html("tab\t, line\nend, \xc3\xa9\xe4\xbd\xa0"), "tab\t, line\nend, \xc3\xa9\xe4\xbd\xa0");
}

TEST(EscapeHtmlTest, ReplacesControlCharacters) {
  EXPECT_EQ(escape_html(std::string("a\0b", 3)),
            "a\xef\xbf\xbd"
            "b");
  EXPECT_EQ(escape_html("\x1b[31m\x7f"), "\xef\xbf\xbd[31m\xef\xbf\xbd");
}

}  // namespace
}  // namespace diptych
