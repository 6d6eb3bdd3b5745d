#include "diptych/cli/finish.h"

#include <csignal>
#include <cstdio>

#include "diptych/base/error.h"

namespace diptych {

int finish_run(EndReason reason, const std::string& run_folder, const std::string& outcome) {
  std::signal(SIGPIPE, SIG_IGN);  // the run is saved, whether or not somebody still reads this
  if (reason == EndReason::interrupted) {
    std::printf("interrupted: the state is saved; the same command continues the run in %s\n", run_folder.c_str());
    return static_cast<int>(ExitCode::interrupted);
  }
  std::printf("finished: %s\n", outcome.c_str());
  return 0;
}

}  // namespace diptych
