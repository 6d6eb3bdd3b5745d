#pragma once
// The one exception type, and the exit codes of the program.

#include <stdexcept>
#include <string>

namespace diptych {

/** Exit status of the program; docs/exit_codes.md explains each to users. */
enum class ExitCode : int {
  ok = 0,
  mismatch = 1,     // a comparison failed: verify, a ratio gate
  usage = 2,        // the command line is wrong
  config = 3,       // the recipe is wrong
  data = 4,         // prompts, images or training data are wrong
  model = 5,        // a model folder or checkpoint is missing, damaged or does not fit
  io = 6,           // a file could not be read or written
  numerics = 7,     // non-finite values, or the ratio gate, stopped the run
  reward = 8,       // too many rewards are missing
  interrupted = 9,  // a signal asked to end; the run can be resumed
  peer = 10,        // another process of the run is gone, does not answer, or does something else
  memory = 11,      // the machine has less memory than the command needs
  internal = 70,    // a bug in diptych
};

/** What a user needs to mend an error. `hint` may be empty. */
struct ErrorText {
  std::string where;
  std::string expected;
  std::string got;
  std::string hint;
};

/** A failure that the user can act on. Programmer errors are TORCH_CHECK or assert instead. */
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const ErrorText& text);
  ExitCode code() const { return code_; }
  /** The same failure with one more line of advice. */
  Error with_line(const std::string& line) const;

 private:
  Error(ExitCode code, const std::string& sentence);
  ExitCode code_;
};

}  // namespace diptych
