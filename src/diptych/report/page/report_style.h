#pragma once
// The style sheet of reports.

#include <string_view>

namespace diptych {

/** Light and dark by the reader's setting, one column on a phone, folded parts unfolded on paper. The run colours are
 *  those of Okabe and Ito, which colour-blind readers can tell apart. */
inline constexpr std::string_view kReportStyle = R"(
:root {
  color-scheme: light dark;
  --page: #ffffff; --text: #1d1d1f; --muted: #6a6a70; --line: #e2e2e0; --soft: #f6f6f4;
  --good: #1a7f37; --bad: #c62828; --watch: #9a6700;
  --good-soft: #e3f4e6; --bad-soft: #fdeaea; --watch-soft: #fdf3dc;
  --c0: #0072b2; --c1: #d55e00; --c2: #009e73; --c3: #b3568d; --c4: #b97f00; --c5: #3a97cc; --c6: #555555;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #17181a; --text: #ececee; --muted: #a0a0a8; --line: #35363b; --soft: #1f2023;
    --good: #57c278; --bad: #f0807a; --watch: #e0b050;
    --good-soft: #1c3424; --bad-soft: #3d2222; --watch-soft: #382e18;
    --c0: #56b4e9; --c1: #f08030; --c2: #2cc79a; --c3: #d98fbd; --c4: #e69f00; --c5: #8ccbf0; --c6: #b0b0b0;
  }
}
* { box-sizing: border-box; }
body {
  max-width: 72rem; margin: 0 auto; padding: 2rem 1rem 4rem;
  background: var(--page); color: var(--text);
  font: .95rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  overflow-wrap: anywhere;
}
p { margin: 0 0 .5rem; }
h1 { font-size: 1.9rem; line-height: 1.2; margin: 0 0 .75rem; letter-spacing: -.01em; }
h2 { font-size: 1.25rem; margin: 0 0 .75rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
h4 { font-size: .95rem; margin: 0; }
code { font: .9em ui-monospace, "SF Mono", Menlo, Consolas, monospace; }
pre { font: .78rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace; white-space: pre-wrap; margin: 0; }
section { border-top: 1px solid var(--line); margin-top: 2.25rem; padding-top: 1.5rem; }
.kind { color: var(--muted); margin: 0; }
.lead { max-width: 46rem; }
.result { font-size: 1.1rem; font-weight: 600; }
.note { color: var(--muted); font-size: .85rem; }
nav { margin-top: 1.5rem; font-size: .9rem; }
nav a { margin-right: 1rem; color: var(--c0); }
.facts { display: flex; flex-wrap: wrap; gap: .6rem 2rem; margin: 1.25rem 0; }
.facts dt { color: var(--muted); font-size: .8rem; }
.facts dd { margin: 0; font-variant-numeric: tabular-nums; }
.notes { background: var(--watch-soft); border-radius: .4rem; padding: .6rem 1rem .6rem 2rem; font-size: .9rem; }

table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { padding: .28rem .9rem .28rem 0; text-align: right; font-weight: 400; white-space: nowrap; }
th:first-child { text-align: left; }
thead th { color: var(--muted); font-size: .8rem; white-space: normal; overflow-wrap: normal; vertical-align: bottom; border-bottom: 1px solid var(--line); }
tbody tr + tr > * { border-top: 1px solid var(--line); }
.tables { display: flex; flex-wrap: wrap; gap: 1.5rem 3rem; align-items: flex-start; }
.runs th, .runs td { text-align: left; padding-right: 1.1rem; }
.keys td { white-space: normal; min-width: 6rem; max-width: 22rem; }
.scroll { overflow-x: auto; }
.up { color: var(--good); }
.down { color: var(--bad); }
.rate { width: 120px; height: 12px; display: block; }
.rate .was { fill: var(--muted); }
.rate .change { stroke-width: 3; fill: none; opacity: .45; }

details > summary { cursor: pointer; }
details.group > summary { font-weight: 600; padding: .5rem 0; }
details.group { padding-bottom: .5rem; }
details.group + details.group { border-top: 1px solid var(--line); }
details.quiet > summary { color: var(--muted); font-size: .85rem; }
.badge { font-size: .75rem; font-weight: 700; padding: .1rem .5rem; border-radius: 1rem; margin-right: .25rem; }
.findings { list-style: none; margin: 0 0 1rem; padding: 0; display: grid; gap: .6rem; }
.findings li { border-left: 4px solid; padding: .6rem 1rem; border-radius: .25rem; background: var(--soft); }
.findings p { margin: 0 0 .2rem; max-width: 54rem; }
.seen { font-weight: 600; }
.alarm { border-color: var(--bad) !important; }
.watch { border-color: var(--watch) !important; }
.alarm .badge { background: var(--bad-soft); color: var(--bad); }
.watch .badge { background: var(--watch-soft); color: var(--watch); }
.fine .badge { background: var(--good-soft); color: var(--good); }
.checked { columns: 18rem; margin: .4rem 0; padding-left: 1.2rem; font-size: .85rem; color: var(--muted); }

.panels { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); gap: 1.5rem 1.75rem; }
.panel { margin: 0; min-width: 0; }
.panel figcaption { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 .75rem; font-size: .88rem; }
.panel figcaption p { width: 100%; color: var(--muted); font-size: .8rem; line-height: 1.35; margin: 0 0 .25rem; }
.panel .note { margin: 0; font-size: .78rem; }
.ends { font-variant-numeric: tabular-nums; }
.panel svg { display: block; width: 100%; height: auto; overflow: visible; }
svg text { font-size: 11px; fill: var(--muted); font-variant-numeric: tabular-nums; }
svg .end { text-anchor: end; }
svg .middle { text-anchor: middle; }
svg .grid { stroke: var(--line); fill: none; }
svg .axis, svg .tick { stroke: var(--muted); fill: none; }
svg .raw { fill: none; stroke-width: .8; opacity: .3; }
svg .line { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
svg .dot { stroke: none; }
.constant { margin-top: .75rem; }
.legend span { margin-right: 1rem; white-space: nowrap; }
.mark { display: inline-block; width: .7rem; height: .7rem; border-radius: .15rem; margin-right: .35rem; }
.c0 { stroke: var(--c0); } .c1 { stroke: var(--c1); } .c2 { stroke: var(--c2); } .c3 { stroke: var(--c3); }
.c4 { stroke: var(--c4); } .c5 { stroke: var(--c5); } .c6 { stroke: var(--c6); }
.dot.c0 { fill: var(--c0); } .dot.c1 { fill: var(--c1); } .dot.c2 { fill: var(--c2); } .dot.c3 { fill: var(--c3); }
.dot.c4 { fill: var(--c4); } .dot.c5 { fill: var(--c5); } .dot.c6 { fill: var(--c6); }
.b0 { background: var(--c0); } .b1 { background: var(--c1); } .b2 { background: var(--c2); }
.b3 { background: var(--c3); } .b4 { background: var(--c4); } .b5 { background: var(--c5); }
.b6 { background: var(--c6); }

.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 16rem), 1fr)); gap: 1rem; }
.card { background: var(--soft); border-radius: .5rem; padding: .75rem .9rem; min-width: 0; }
.prompt { font-weight: 600; font-size: .9rem; line-height: 1.35; }
.pictures { display: flex; flex-wrap: wrap; gap: .6rem; margin-bottom: .5rem; }
.pictures figure { margin: 0; font-size: .8rem; }
.pictures img { border: 2px solid; }
.right img { border-color: var(--good); }
.wrong img { border-color: var(--bad); }
.right figcaption b { color: var(--good); }
.wrong figcaption b { color: var(--bad); }
img { display: block; max-width: 100%; }
img.sharp { image-rendering: pixelated; }
.nothing { display: grid; place-items: center; width: 96px; height: 96px; color: var(--muted); font-size: .8rem;
  border: 1px dashed var(--line); }
.thought { font-size: .85rem; line-height: 1.45; white-space: pre-wrap; margin: 0 0 .4rem; }
.pale { color: var(--muted); opacity: .75; }
del { background: var(--bad-soft); color: var(--bad); }
ins { background: var(--good-soft); color: var(--good); text-decoration: none; font-weight: 600; }

.chain-group { margin: .5rem 0 1.75rem; }
.chain-group .cards { grid-template-columns: repeat(auto-fill, minmax(min(100%, 26rem), 1fr)); margin-bottom: .5rem; }
.chain { border-top: 3px solid transparent; }
.best { border-top-color: var(--good); }
.worst { border-top-color: var(--bad); }
.chain-title, .numbers { font-size: .85rem; color: var(--muted); }
.chain-title b { color: var(--text); }
.stage + .stage { border-top: 1px solid var(--line); margin-top: .6rem; padding-top: .6rem; }
.stage-title { font-weight: 600; font-size: .85rem; margin: 0 0 .25rem; }
.row { display: flex; gap: .9rem; margin-bottom: .4rem; }
.row > img, .row > .nothing { flex: none; }
.words { min-width: 0; }
.picture, .strip { border: 1px solid var(--line); }
.strip { height: auto; margin-bottom: .4rem; }
.reply { white-space: pre-line; }
.checks { list-style: none; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: .1rem .9rem; font-size: .8rem; }
.checks b { font-variant-numeric: tabular-nums; }
.yes b { color: var(--good); }
.no b { color: var(--bad); }

@media (max-width: 40rem) {
  body { padding-top: 1.25rem; }
  h1 { font-size: 1.5rem; }
  .wide { display: none; }
  .tables, .results { width: 100%; }
  .results th, .results td { padding-right: .5rem; white-space: normal; }
  .results td { white-space: nowrap; }
  .results tr > :nth-child(4) { padding-right: 0; }
}
@media print {
  :root { --page: #fff; --text: #000; --muted: #444; --line: #bbb; --soft: #fff; }
  html { font-size: 10pt; }
  body { max-width: none; padding: 0; }
  nav { display: none; }
  .card, .findings li, .panel, img, svg, tr { break-inside: avoid; }
  h2, h3, h4, summary, .chain-group > .note { break-after: avoid; }
  .card { border: 1px solid var(--line); }
  .panels { grid-template-columns: repeat(3, 1fr); gap: 1rem; }
  * { print-color-adjust: exact; }
}
)";

}  // namespace diptych
