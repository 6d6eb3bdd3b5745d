#include "diptych/base/progress.h"

#include <unistd.h>

#include <cmath>
#include <cstdio>

#include "diptych/base/text_format.h"

namespace diptych {

namespace {
constexpr double kTerminalInterval = 0.1;  // seconds between two updates
constexpr double kPlainInterval = 10.0;

std::string duration(double seconds) {
  const auto whole = static_cast<int64_t>(std::llround(seconds));
  char buffer[48];
  if (whole >= 3600) {
    std::snprintf(buffer, sizeof buffer, "%lld:%02d:%02d", static_cast<long long>(whole / 3600),
                  static_cast<int>(whole / 60 % 60), static_cast<int>(whole % 60));
  } else {
    std::snprintf(buffer, sizeof buffer, "%d:%02d", static_cast<int>(whole / 60), static_cast<int>(whole % 60));
  }
  return buffer;
}
}  // namespace

std::string progress_line(const std::string& label, int64_t done, int64_t total, double elapsed,
                          const std::string& text, int64_t before) {
  std::string line = cat(label, " ", done);
  if (total > 0) {
    line += cat("/", total, " ", 100 * done / total, " %");
    if (done > before && done < total)
      line += cat(" ", duration(elapsed / double(done - before) * double(total - done)), " left");
  }
  if (done > 0 && done >= total) line += cat(" in ", duration(elapsed));
  return text.empty() ? line : line + "  " + text;
}

Progress::Progress(int64_t total, std::string label, int64_t before)
    : total_(total),
      before_(before),
      label_(std::move(label)),
      terminal_(isatty(STDERR_FILENO) == 1),
      start_(Clock::now()),
      shown_(start_) {}

void Progress::update(int64_t done, const std::string& text) {
  done_ = done;
  text_ = text;
  pending_ = true;
  const double since_shown = std::chrono::duration<double>(Clock::now() - shown_).count();
  const bool first_on_terminal = terminal_ && !begun_;
  begun_ = true;
  if (first_on_terminal || since_shown >= (terminal_ ? kTerminalInterval : kPlainInterval)) show();
}

void Progress::show() {
  shown_ = Clock::now();
  pending_ = false;
  const double elapsed = std::chrono::duration<double>(shown_ - start_).count();
  const std::string line = progress_line(label_, done_, total_, elapsed, text_, before_);
  // On a terminal: no wrapping of a long line (?7l, ?7h), and the rest of a longer earlier line is erased (K).
  std::fprintf(stderr, terminal_ ? "\r\033[?7l%s\033[K\033[?7h" : "%s\n", line.c_str());
  std::fflush(stderr);
}

void Progress::finish() {
  if (finished_ || !begun_) return;
  finished_ = true;
  if (pending_) show();
  if (terminal_) std::fputs("\n", stderr);
}

}  // namespace diptych
