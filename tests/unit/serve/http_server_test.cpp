#include "diptych/tensor/torch.h"

#include "diptych/serve/http_server.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>

#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace diptych {
namespace {

TEST(HttpServerTest, KeysAreEqualOnlyIfAllBytesAre) {
  EXPECT_TRUE(equal_in_constant_time("Bearer key", "Bearer key"));
  EXPECT_TRUE(equal_in_constant_time("", ""));
  for (const char* other : {"", "Bearer ke", "Bearer key ", "bearer key", "Bearer keyBearer key"}) {
    EXPECT_FALSE(equal_in_constant_time(other, "Bearer key")) << other;
    EXPECT_FALSE(equal_in_constant_time("Bearer key", other)) << other;
  }
}

/** A stop that comes before the library listens must not be lost. */
TEST(HttpServerTest, StopsRightAfterItsStart) {
  const TemporaryFolder folder;
  const ModelFolder made = make_tiny_model(folder.path());
  Engine engine(made.model, made.tokenizer, {});
  Api api(engine, {}, made.model.config, std::chrono::seconds(1));
  for (int i = 0; i < 50; ++i) {
    HttpServer server(api, {}, "");
    EXPECT_GT(server.start("127.0.0.1", 0), 0);
    server.stop();
  }
}

/** What a server at this port replies first to a request; waits five seconds at most. */
std::string first_reply(int port, const std::string& request) {
  const int client = ::socket(AF_INET, SOCK_STREAM, 0);
  const timeval patience{.tv_sec = 5, .tv_usec = 0};
  ::setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string reply(4096, '\0');
  ssize_t count = -1;
  if (::connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::send(client, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size()))
    count = ::recv(client, reply.data(), reply.size(), 0);
  ::close(client);
  reply.resize(static_cast<size_t>(std::max<ssize_t>(count, 0)));
  return reply;
}

/** Such a client waits for the reply, and the server would wait for the body. */
TEST(HttpServerTest, RequestsWithoutABodyAreRefusedAtOnce) {
  const TemporaryFolder folder;
  const ModelFolder made = make_tiny_model(folder.path());
  Engine engine(made.model, made.tokenizer, {});
  Api api(engine, {}, made.model.config, std::chrono::seconds(1));
  HttpServer server(api, {}, "");
  const int port = server.start("127.0.0.1", 0);
  const std::string reply = first_reply(port, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(reply.starts_with("HTTP/1.1 411 ")) << reply;
  server.stop();
}

}  // namespace
}  // namespace diptych
