#include "diptych/report/page/before_after_section.h"

#include <algorithm>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/report/html/escape.h"
#include "diptych/report/html/html_text.h"
#include "diptych/report/html/number_text.h"
#include "diptych/report/html/text_difference.h"
#include "diptych/report/html/thumbnail.h"
#include "diptych/report/run_data/evaluation_grid.h"

namespace diptych {

namespace {

constexpr int kShownHeight = 96;        // CSS pixels
constexpr int kShownHeightOfMany = 64;  // where three runs or more stand side by side
constexpr int kTallestGrid = 1200;      // of edits, CSS pixels
constexpr size_t kLongThought = 400;    // characters; longer ones are folded
constexpr const char* kNoPicture = "–";

/** An evaluation with the pictures of its grid, for the lines that grid_lines names. */
struct ShownEvaluation {
  const EvaluationData* data = nullptr;
  std::vector<Image> cells;
};

ShownEvaluation with_pictures(const EvaluationData& data, Notes& notes) {
  ShownEvaluation shown{&data, {}};
  const std::string name = "eval/" + data.grid.filename().string();
  try {
    shown.cells = grid_cells(read_image(data.grid), grid_lines(data.lines.size()).size());
    if (shown.cells.empty() && !data.lines.empty())
      notes.push_back(name + " has another form than its lines say: its pictures are left out");
  } catch (const Error& error) {
    notes.push_back(cat(name, " cannot be read: its pictures are left out (", error.what(), ")"));
  }
  return shown;
}

/** Whether both evaluated the same prompts in the same order. */
bool same_prompts(const EvaluationData& a, const EvaluationData& b) {
  return a.lines.size() == b.lines.size() &&
         std::equal(a.lines.begin(), a.lines.end(), b.lines.begin(),
                    [](const EvaluatedLine& x, const EvaluatedLine& y) { return x.prompt == y.prompt; });
}

std::string picture_html(const ShownEvaluation& evaluation, size_t cell, size_t line, const std::string& caption,
                         int height) {
  const bool right = evaluation.data->lines[line].first_correct;
  const std::string picture = cell < evaluation.cells.size() ? thumbnail_html(evaluation.cells[cell], height,
                                                                              evaluation.data->lines[line].prompt, "")
                                                             : cat("<span class=\"nothing\">", kNoPicture, "</span>");
  return cat("<figure class=\"", right ? "right" : "wrong", "\">", picture, "<figcaption>", caption,
             right ? " <b>✓</b>" : " <b>✗</b>", "</figcaption></figure>");
}

std::string thought_html(const std::string& html, size_t length) {
  if (length <= kLongThought) return cat("<p class=\"thought\">", html, "</p>");
  return folded_html(false, "Thought", cat("<p class=\"thought\">", html, "</p>"), "quiet");
}

std::string changed_thought(const EvaluatedLine& before, const EvaluatedLine& after) {
  if (before.thinking.empty() && after.thinking.empty()) return "";
  const size_t length = before.thinking.size() + after.thinking.size();
  return thought_html(with_pale_tags(difference_html(text_difference(before.thinking, after.thinking))), length);
}

std::string refined_note(const EvaluatedLine& line) {
  if (line.correct == line.first_correct) return "";
  return cat("<p class=\"note\">", line.correct ? "Refinement repairs it." : "Refinement spoils it.", "</p>");
}

std::string card_html(const EvaluatedLine& line, const std::string& pictures, const std::string& texts) {
  return cat("<article class=\"card\"><p class=\"prompt\">", escape_html(line.prompt), "</p><div class=\"pictures\">",
             pictures, "</div>", texts, "</article>\n");
}

/** Cards under a heading, folded unless they are what a reader looks for. */
std::string cards_html(const std::string& title, const std::vector<std::string>& cards, bool open) {
  if (cards.empty()) return "";
  return folded_html(open, cat(title, " (", cards.size(), ")"),
                     cat("<div class=\"cards\">\n", join(cards, ""), "</div>\n"), "group");
}

std::string transition_sentence(const EvaluationData& before, const EvaluationData& after) {
  size_t became_right = 0, became_wrong = 0, changed_thoughts = 0, thoughts = 0, refined = 0;
  for (size_t i = 0; i < after.lines.size(); ++i) {
    const EvaluatedLine& old_line = before.lines[i];
    const EvaluatedLine& new_line = after.lines[i];
    became_right += !old_line.first_correct && new_line.first_correct ? 1 : 0;
    became_wrong += old_line.first_correct && !new_line.first_correct ? 1 : 0;
    thoughts += new_line.thinking.empty() ? 0 : 1;
    changed_thoughts += old_line.thinking != new_line.thinking ? 1 : 0;
    refined += new_line.correct != new_line.first_correct ? 1 : 0;
  }
  return cat("<p>Of ", after.lines.size(), " held-out prompts, ", became_right, " became right and ", became_wrong,
             " became wrong between step ", before.step, " and step ", after.step,
             thoughts == 0 ? "" : cat("; ", changed_thoughts, " thoughts changed"),
             ". Same prompts and seeds; shown are the first of each pool.",
             refined == 0 ? "" : " These are the first pictures of the chains, ahead of refinement.",
             thoughts == 0 ? "" : " In the thoughts, <del>removed</del> and <ins>added</ins> words are marked.",
             "</p>\n");
}

/** The grids of edits, a sample a row, where the run evaluates edits. */
std::string edits_html(RunData& run) {
  std::string html;
  for (const EvaluationData* evaluation : {&*run.before, &*run.after}) {
    const std::filesystem::path file =
        evaluation->grid.parent_path() / (evaluation->grid.stem().string() + "_edits.png");
    if (!std::filesystem::exists(file)) continue;
    try {
      const Image grid = read_image(file);
      html += cat("<figure>", thumbnail_html(grid, std::min(grid.height, kTallestGrid), "edits", ""),
                  "<figcaption>step ", evaluation->step, "</figcaption></figure>");
    } catch (const Error& error) {
      run.notes.push_back(cat("eval/", file.filename().string(), " cannot be read: ", error.what()));
    }
  }
  if (html.empty()) return "";
  return folded_html(false, "Edits, one a row: what was given, then what was painted",
                     cat("<div class=\"pictures\">", html, "</div>\n"), "group");
}

std::string single_run(RunData& run) {
  if (!run.before) return "";
  if (!run.after) {
    run.notes.push_back("there is one evaluation only: nothing to compare its pictures with");
    return "";
  }
  if (!same_prompts(*run.before, *run.after)) {
    run.notes.push_back("the first and the last evaluation have different prompts: their pictures are not compared");
    return "";
  }
  const ShownEvaluation before = with_pictures(*run.before, run.notes), after = with_pictures(*run.after, run.notes);
  std::vector<std::string> cards[2][2];  // [right before][right after]
  const std::vector<size_t> lines = grid_lines(run.after->lines.size());
  for (size_t cell = 0; cell < lines.size(); ++cell) {
    const EvaluatedLine& old_line = run.before->lines[lines[cell]];
    const EvaluatedLine& new_line = run.after->lines[lines[cell]];
    cards[old_line.first_correct][new_line.first_correct].push_back(
        card_html(new_line,
                  picture_html(before, cell, lines[cell], "before", kShownHeight) +
                      picture_html(after, cell, lines[cell], "after", kShownHeight),
                  changed_thought(old_line, new_line) + refined_note(new_line)));
  }
  return transition_sentence(*run.before, *run.after) + cards_html("Became right", cards[0][1], true) +
         cards_html("Became wrong", cards[1][0], true) + cards_html("Stayed wrong", cards[0][0], false) +
         cards_html("Stayed right", cards[1][1], false) + edits_html(run);
}

const EvaluationData* last_evaluation(const RunData& run) {
  return run.after ? &*run.after : run.before ? &*run.before : nullptr;
}

/** One prompt in several runs: number of the run and its evaluation. */
using Compared = std::vector<std::pair<size_t, ShownEvaluation>>;

Compared compared_runs(std::vector<RunData>& runs) {
  Compared compared;
  for (size_t i = 0; i < runs.size(); ++i) {
    const EvaluationData* last = last_evaluation(runs[i]);
    if (last == nullptr) continue;
    if (compared.empty() || same_prompts(*compared.front().second.data, *last))
      compared.emplace_back(i, with_pictures(*last, runs[i].notes));
    else
      runs[i].notes.push_back("evaluated other prompts: its pictures are not compared");
  }
  return compared;
}

/** Equal thoughts once, behind the marks of all runs that have them. */
std::string thoughts_html(const Compared& compared, size_t line) {
  std::vector<std::pair<std::string, std::string>> thoughts;  // text, marks
  for (const auto& [run, evaluation] : compared) {
    const std::string& text = evaluation.data->lines[line].thinking;
    const auto same =
        std::find_if(thoughts.begin(), thoughts.end(), [&](const auto& other) { return other.first == text; });
    if (same != thoughts.end())
      same->second += colour_mark(run);
    else if (!text.empty())
      thoughts.emplace_back(text, colour_mark(run));
  }
  std::string html;
  for (const auto& [text, marks] : thoughts) html += thought_html(marks + sampled_html(text), text.size());
  return html;
}

std::string several_runs(std::vector<RunData>& runs) {
  const Compared compared = compared_runs(runs);
  if (compared.size() < 2) return "";
  const std::vector<EvaluatedLine>& prompts = compared.front().second.data->lines;
  const int height = compared.size() > 2 ? kShownHeightOfMany : kShownHeight;
  std::vector<std::string> differ, all_right, all_wrong;
  const std::vector<size_t> lines = grid_lines(prompts.size());
  for (size_t cell = 0; cell < lines.size(); ++cell) {
    std::string pictures;
    size_t right = 0;
    for (const auto& [run, evaluation] : compared) {
      right += evaluation.data->lines[lines[cell]].first_correct ? 1 : 0;
      pictures += picture_html(evaluation, cell, lines[cell], colour_mark(run), height);
    }
    const std::string card = card_html(prompts[lines[cell]], pictures, thoughts_html(compared, lines[cell]));
    (right == 0 ? all_wrong : right == compared.size() ? all_right : differ).push_back(card);
  }
  return "<p>The last pictures of every run, on the same prompts and seeds; the first of each pool.</p>\n" +
         cards_html("The runs differ", differ, true) + cards_html("All wrong", all_wrong, false) +
         cards_html("All right", all_right, false);
}

}  // namespace

std::string before_after_section(std::vector<RunData>& runs) {
  if (runs.size() > 1) return section_html("pictures", "Held-out pictures", several_runs(runs));
  return section_html("pictures", "Before and after", single_run(runs.front()));
}

}  // namespace diptych
