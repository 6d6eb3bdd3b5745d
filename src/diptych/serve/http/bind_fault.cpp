#include "diptych/serve/http/bind_fault.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "diptych/base/text_format.h"

namespace diptych {

namespace {

constexpr const char* kHosts = "127.0.0.1 is this machine alone, 0.0.0.0 all its addresses";

/** errno of binding the first address; 0 if it can be bound now. */
int bind_errno(const addrinfo& address) {
  const int socket = ::socket(address.ai_family, address.ai_socktype, address.ai_protocol);
  if (socket < 0) return errno;
  const int yes = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const bool bound = ::bind(socket, address.ai_addr, address.ai_addrlen) == 0 && ::listen(socket, 1) == 0;
  const int fault = bound ? 0 : errno;
  ::close(socket);
  return fault;
}

}  // namespace

Error bind_fault(const std::string& host, int port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  // A wrong address is no name to ask the network for.
  if (host.find_first_not_of("0123456789.") == std::string::npos) hints.ai_flags |= AI_NUMERICHOST;
  addrinfo* addresses = nullptr;
  const int unknown = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &addresses);
  if (unknown != 0)
    return {ExitCode::io,
            {"--host", "an address or a name of this machine", cat(host, ": ", ::gai_strerror(unknown)), kHosts}};
  const int fault = bind_errno(*addresses);
  ::freeaddrinfo(addresses);
  const std::string place = cat(host, ":", port);
  switch (fault) {
    case EADDRNOTAVAIL:
      return {ExitCode::io, {"--host", "an address of this machine", host + ", which is none", kHosts}};
    case EACCES:
      return {ExitCode::io,
              {place, "a port that you may use", "one that needs a permission", "choose one from 1024 on"}};
    case EADDRINUSE:
    case 0:  // the other program has just ended
      return {ExitCode::io,
              {place, "a free port", "one that another program listens on", "--port 0 takes any free port"}};
    default:
      return {ExitCode::io, {place, "an address and a port that can be bound", std::strerror(fault), ""}};
  }
}

}  // namespace diptych
