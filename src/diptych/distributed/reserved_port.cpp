#include "diptych/distributed/reserved_port.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "diptych/base/error.h"

namespace diptych {

ReservedPort::ReservedPort() : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  socklen_t size = sizeof address;
  // With this option on both sides, Linux lets another socket bind the port of one that is bound but does not listen.
  const int yes = 1;
  const bool bound = ::setsockopt(descriptor_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
                     ::bind(descriptor_, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  if (!bound) {
    const int failure = errno;
    if (descriptor_ >= 0) ::close(descriptor_);
    throw Error(ExitCode::io, {"this machine", "a free TCP port", std::strerror(failure), ""});
  }
  number_ = ntohs(address.sin_port);
}

ReservedPort::~ReservedPort() {
  ::close(descriptor_);
}

}  // namespace diptych
