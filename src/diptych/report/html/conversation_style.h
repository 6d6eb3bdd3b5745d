#pragma once
// The style sheet of conversation pages.

#include <string_view>

namespace diptych {

/** Light and dark by the reader's setting, one column on a phone, folded parts unfolded on paper. */
inline constexpr std::string_view kConversationStyle = R"(
:root {
  color-scheme: light dark;
  --page: #f6f6f4; --text: #1d1d1f; --muted: #66666b; --line: #d9d9d6; --person: #dce9fb; --model: #ffffff;
}
@media (prefers-color-scheme: dark) {
  :root { --page: #17181a; --text: #ececee; --muted: #a0a0a8; --line: #3a3b40; --person: #22405f; --model: #25262a; }
}
* { box-sizing: border-box; }
body {
  max-width: 48rem; margin: 0 auto; padding: 1.5rem 1rem 3rem;
  background: var(--page); color: var(--text);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  overflow-wrap: anywhere;
}
h1 { font-size: 1.4rem; line-height: 1.3; margin: 0 0 .75rem; }
h2 { font-size: 1rem; margin: 0 0 1rem; color: var(--muted); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem .9rem; margin: 0; font-size: .9rem; }
dt { color: var(--muted); }
dd { margin: 0; }
section { border-top: 1px solid var(--line); margin-top: 1.75rem; padding-top: 1.25rem; }
.message { display: flex; flex-direction: column; margin: 0 0 1rem; }
.person { align-items: flex-end; }
.model { align-items: flex-start; }
.label { font-size: .8rem; color: var(--muted); margin: 0 .35rem .2rem; }
.bubble { max-width: 88%; padding: .65rem .9rem; border-radius: .9rem; }
.bubble > * { margin: 0 0 .6rem; }
.bubble > :last-child { margin-bottom: 0; }
.person .bubble { background: var(--person); border-bottom-right-radius: .25rem; }
.model .bubble { background: var(--model); border: 1px solid var(--line); border-bottom-left-radius: .25rem; }
.text, .folded p { white-space: pre-wrap; }
.folded { color: var(--muted); font-size: .9rem; }
.folded summary { cursor: pointer; }
.folded p { margin: .25rem 0 0; padding-left: .7rem; border-left: 2px solid var(--line); }
.note, .end { color: var(--muted); font-size: .9rem; font-style: italic; }
.end { margin: 0; text-align: center; }
img { display: block; max-width: min(100%, 32rem); height: auto; border-radius: .35rem; }
img.small { image-rendering: pixelated; border-radius: 0; }
@media print {
  :root { --page: #fff; --text: #000; --muted: #444; --line: #999; --person: #fff; --model: #fff; }
  body { max-width: none; padding: 0; }
  .person .bubble { border: 1px solid var(--line); }
  img { break-inside: avoid; max-width: min(100%, 16rem); }
  h2 { break-after: avoid; }
  .folded::details-content { content-visibility: visible; }
}
)";

}  // namespace diptych
