#include "fuzz/run.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <new>
#include <sstream>
#include <stdexcept>
#include <typeinfo>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych::fuzz {

namespace fs = std::filesystem;

namespace {

constexpr time_t kMostSeconds = 10;  // of processor time for one input
constexpr int kBadEnd = 3;           // exit status after a wrong exception

/** Written by the child, read by the parent, also after a crash. */
struct Progress {
  volatile uint64_t inputs = 0;
  volatile uint64_t refused = 0;
};

Progress* shared_progress() {
  void* memory = ::mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  return new (memory) Progress;
}

/** The signal SIGPROF, whose default is death, once this much processor time has passed from now on. */
void limit_time(time_t seconds) {
  const itimerval timer{.it_interval = {}, .it_value = {.tv_sec = seconds, .tv_usec = 0}};
  ::setitimer(ITIMER_PROF, &timer, nullptr);
}

/** Standard error becomes a file that holds what was written since the last input began. */
void catch_messages(const fs::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_APPEND, 0600);
  if (descriptor < 0 || ::dup2(descriptor, STDERR_FILENO) < 0) ::_exit(kBadEnd);
}

void forget_messages() {
  if (::ftruncate(STDERR_FILENO, 0) != 0) ::_exit(kBadEnd);
}

/** Whether the reader refused the input. */
bool read_input(const Target& target, const Bytes& input) {
  try {
    target.read(input);
    return false;
  } catch (const Error&) {
    return true;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "exception %s: %s\n", typeid(error).name(), error.what());
  } catch (...) {
    std::fprintf(stderr, "an exception that is no std::exception\n");
  }
  std::exit(kBadEnd);
}

void read_all(const Target& target, const std::vector<Bytes>& corpus, uint64_t inputs, uint64_t seed,
              Progress& progress) {
  for (uint64_t index = 0; index < inputs; ++index) {
    const Bytes input = make_input(target, corpus, seed, index);
    forget_messages();
    limit_time(kMostSeconds);
    if (read_input(target, input)) progress.refused = progress.refused + 1;
    progress.inputs = index + 1;
  }
  limit_time(0);
}

std::string messages_in(const fs::path& file) {
  std::ifstream stream(file);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
}

std::string how_it_ended(int status) {
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF) return cat("more than ", kMostSeconds, " s for one input");
  if (WIFSIGNALED(status)) return cat("signal ", WTERMSIG(status), " (", strsignal(WTERMSIG(status)), ")");
  return cat("exit status ", WEXITSTATUS(status));
}

fs::path keep(const Target& target, const Bytes& input, uint64_t seed, uint64_t index) {
  const fs::path file = fs::temp_directory_path() / cat("diptych_fuzz_", target.name, "_", seed, "_", index);
  std::ofstream(file, std::ios::binary).write(reinterpret_cast<const char*>(input.data()), std::ssize(input));
  return file;
}

}  // namespace

Outcome run_target(const Target& target, const std::vector<Bytes>& corpus, uint64_t inputs, uint64_t seed) {
  Progress* progress = shared_progress();
  const fs::path messages = scratch_folder() / "messages.txt";
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("cannot fork");
  if (child == 0) {
    catch_messages(messages);
    read_all(target, corpus, inputs, seed, *progress);
    std::exit(0);
  }
  int status = 0;
  rusage used{};
  ::wait4(child, &status, 0, &used);
  Outcome outcome{.inputs = progress->inputs, .refused = progress->refused, .failure = {}, .file = {}};
  outcome.seconds = seconds(used.ru_utime) + seconds(used.ru_stime);
  if (status != 0) {
    outcome.failure = cat(how_it_ended(status), "\n", messages_in(messages));
    outcome.file = keep(target, make_input(target, corpus, seed, outcome.inputs), seed, outcome.inputs);
  }
  ::munmap(progress, sizeof(Progress));
  return outcome;
}

}  // namespace diptych::fuzz
