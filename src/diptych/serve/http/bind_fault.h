#pragma once
// Why a server cannot listen where it was told to.

#include <string>

#include "diptych/base/error.h"

namespace diptych {

/** The error of an address that could not be bound, found out by trying once more: the host is unknown, it is none of
 *  this machine's, the port is taken, or needs a permission. */
Error bind_fault(const std::string& host, int port);

}  // namespace diptych
