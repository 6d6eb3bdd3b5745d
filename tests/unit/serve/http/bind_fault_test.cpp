#include "diptych/serve/http/bind_fault.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace diptych {
namespace {

TEST(BindFaultTest, ATakenPortIsAnotherFaultThanAForeignAddress) {
  const int taken = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(taken, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(taken, 1), 0);
  ASSERT_EQ(::getsockname(taken, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const std::string in_use = bind_fault("127.0.0.1", ntohs(address.sin_port)).what();
  ::close(taken);
  EXPECT_NE(in_use.find("another program"), std::string::npos) << in_use;
  EXPECT_NE(in_use.find("--port 0"), std::string::npos) << in_use;
  // 192.0.2.0/24 is for examples, and 300.1.1.1 is no address.
  for (const char* host : {"192.0.2.1", "300.1.1.1", "1.2.3"}) {
    const std::string foreign = bind_fault(host, 8000).what();
    EXPECT_NE(foreign.find(host), std::string::npos) << foreign;
    EXPECT_NE(foreign.find("--host"), std::string::npos) << foreign;
    EXPECT_EQ(foreign.find("--port"), std::string::npos) << foreign;
  }
}

}  // namespace
}  // namespace diptych
