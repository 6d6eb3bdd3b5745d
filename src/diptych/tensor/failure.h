#pragma once
// Exceptions of libraries as errors of ours.

#include <exception>

#include "diptych/base/error.h"

namespace diptych {

/** An Error as it is. Lack of memory, of a GPU or of the host, is Error(memory); a path
 *  that cannot be reached Error(io); anything else is a mistake of the program, Error(internal). */
Error as_error(const std::exception& failure);

}  // namespace diptych
