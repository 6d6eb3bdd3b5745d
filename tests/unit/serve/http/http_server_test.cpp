#include "diptych/tensor/torch.h"

#include "diptych/serve/http/http_server.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>

#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace diptych {
namespace {

/** A stop that comes before the library listens must not be lost. */
TEST(HttpServerStartTest, StopsRightAfterItsStart) {
  const TemporaryFolder folder;
  const ModelFolder made = make_tiny_model(folder.path());
  Engine engine(made.model, made.tokenizer, {});
  Api api(engine, {}, made.model.config, std::chrono::seconds(1));
  for (int i = 0; i < 50; ++i) {
    HttpServer server(api, {}, {});
    EXPECT_GT(server.start("127.0.0.1", 0), 0);
    server.stop();
  }
}

/** What a server at this port replies to a request until it closes the connection; waits five seconds at most. */
std::string reply_of(int port, const std::string& request) {
  const int client = ::socket(AF_INET, SOCK_STREAM, 0);
  const timeval patience{.tv_sec = 5, .tv_usec = 0};
  ::setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string reply;
  std::array<char, 4096> buffer;
  ssize_t count = -1;
  if (::connect(client, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      ::send(client, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size()))
    while ((count = ::recv(client, buffer.data(), buffer.size(), 0)) > 0)
      reply.append(buffer.data(), static_cast<size_t>(count));
  ::close(client);
  return reply;
}

class HttpServerTest : public ::testing::Test {
 protected:
  /** What a server with these rules replies. */
  std::string reply(const std::string& request, const AccessRules& access = {}, const HttpLimits& limits = {}) {
    HttpServer server(api_, limits, access);
    return reply_of(server.start("127.0.0.1", 0), request);
  }

  std::string head(const std::string& method, const std::string& path, const std::string& headers = "") {
    return method + " " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + headers + "\r\n";
  }

  std::string post(const std::string& headers) {
    return head("POST", "/v1/chat/completions", "Content-Length: 2\r\n" + headers) + "{}";
  }

  static ServeSettings named(const std::string& name) {
    ServeSettings settings;
    settings.model_name = name;
    return settings;
  }

  static bool has_status(const std::string& reply, int status) {
    return reply.starts_with("HTTP/1.1 " + std::to_string(status) + " ");
  }

 private:
  TemporaryFolder folder_;
  ModelFolder made_ = make_tiny_model(folder_.path());
  Engine engine_{made_.model, made_.tokenizer, {}};
  Api api_{engine_, named("org/tiny"), made_.model.config, std::chrono::seconds(1)};
};

/** Such a client waits for the reply, and the server would wait for the body. */
TEST_F(HttpServerTest, RequestsWithoutABodyAreRefusedAtOnce) {
  const std::string answer = reply(head("POST", "/v1/chat/completions"));
  EXPECT_TRUE(has_status(answer, 411)) << answer;
}

TEST_F(HttpServerTest, LoadBalancersAskByHead) {
  for (const char* path : {"/health", "/v1/models", "/metrics", "/v1/models/org/tiny"}) {
    const std::string answer = reply(head("HEAD", path));
    EXPECT_TRUE(has_status(answer, 200)) << answer;
    EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
  }
  const std::string wrong = reply(head("DELETE", "/v1/models"));
  EXPECT_TRUE(has_status(wrong, 405)) << wrong;
  EXPECT_NE(wrong.find("Allow: GET, HEAD"), std::string::npos) << wrong;
}

TEST_F(HttpServerTest, AModelIsFoundByItsName) {
  for (const char* path : {"/v1/models/org/tiny", "/v1/models/org%2Ftiny"}) {
    const std::string answer = reply(head("GET", path));
    EXPECT_TRUE(has_status(answer, 200)) << answer;
    EXPECT_NE(answer.find("\"id\":\"org/tiny\""), std::string::npos) << answer;
  }
  const std::string other = reply(head("GET", "/v1/models/gpt"));
  EXPECT_TRUE(has_status(other, 404)) << other;
  EXPECT_NE(other.find("model_not_found"), std::string::npos) << other;
}

TEST_F(HttpServerTest, AWrongBaseUrlIsTold) {
  const auto expect_meant = [&](const char* path, const char* meant) {
    const std::string answer = reply(head("GET", path));
    EXPECT_TRUE(has_status(answer, 404)) << answer;
    EXPECT_NE(answer.find(std::string("did you mean ") + meant + "?"), std::string::npos) << path << ": " << answer;
  };
  expect_meant("/chat/completions", "/v1/chat/completions");
  expect_meant("/images/edits", "/v1/images/edits");
  expect_meant("/models", "/v1/models");
  expect_meant("/models/org/tiny", "/v1/models/org/tiny");
  expect_meant("/v1/v1/models", "/v1/models");
  expect_meant("//v1/images/generations", "/v1/images/generations");
  expect_meant("/v1/chat/completions/", "/v1/chat/completions");
  for (const char* path : {"/", "/v1", "/v1/embeddings", "/v1/models/"}) {
    const std::string answer = reply(head("GET", path));
    EXPECT_TRUE(has_status(answer, 404)) << answer;
  }
  EXPECT_EQ(reply(head("GET", "/v1/embeddings")).find("did you mean"), std::string::npos);
}

TEST_F(HttpServerTest, PreflightsAreAnsweredForPagesThatAreAllowed) {
  const std::string asks =
      "Origin: http://localhost:3000\r\nAccess-Control-Request-Method: POST\r\n"
      "Access-Control-Request-Headers: authorization, content-type\r\n";
  const AccessRules allowed{.api_key = "secret", .origins = {"http://localhost:3000"}};
  const std::string answer = reply(head("OPTIONS", "/v1/chat/completions", asks), allowed);
  EXPECT_TRUE(has_status(answer, 204)) << answer;
  for (const char* header : {"Access-Control-Allow-Origin: http://localhost:3000", "Access-Control-Allow-Methods: POST",
                             "Access-Control-Allow-Headers: authorization, content-type", "Vary: Origin"})
    EXPECT_NE(answer.find(header), std::string::npos) << header << "\n" << answer;
  // The page may read errors too.
  const std::string refused = reply(post("Origin: http://localhost:3000\r\n"), allowed);
  EXPECT_TRUE(has_status(refused, 401)) << refused;
  EXPECT_NE(refused.find("Access-Control-Allow-Origin: http://localhost:3000"), std::string::npos) << refused;
  for (const AccessRules& none : {AccessRules{}, AccessRules{.api_key = "secret", .origins = {}}}) {
    const std::string silent = reply(head("OPTIONS", "/v1/chat/completions", asks), none);
    EXPECT_TRUE(has_status(silent, 405)) << silent;
    EXPECT_NE(silent.find("--allow-origin"), std::string::npos) << silent;
    EXPECT_NE(silent.find("Allow: POST"), std::string::npos) << silent;
    EXPECT_EQ(silent.find("Access-Control"), std::string::npos) << silent;
  }
}

TEST_F(HttpServerTest, PagesOfOtherSitesCannotPost) {
  for (const char* type : {"application/json", "text/plain", "application/x-www-form-urlencoded"}) {
    const std::string answer =
        reply(post(std::string("Content-Type: ") + type + "\r\nOrigin: https://evil.example\r\n"));
    EXPECT_TRUE(has_status(answer, 403)) << answer;
  }
  const std::string rebound = reply("GET /v1/models HTTP/1.1\r\nHost: evil.example:80\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(has_status(rebound, 403)) << rebound;
}

TEST_F(HttpServerTest, BodiesAreJsonOrForms) {
  for (const char* type :
       {"text/plain", "text/plain;charset=UTF-8", "multipart/form-data; boundary=x", "image/png", "x"}) {
    const std::string answer = reply(post(std::string("Content-Type: ") + type + "\r\n"));
    EXPECT_TRUE(has_status(answer, 415)) << type << ": " << answer;
  }
  for (const char* type : {"application/json", "Application/JSON; charset=utf-8", "application/vnd.api+json"}) {
    const std::string answer = reply(post(std::string("Content-Type: ") + type + "\r\n"));
    EXPECT_TRUE(has_status(answer, 400)) << type << ": " << answer;
    EXPECT_NE(answer.find("messages"), std::string::npos) << answer;
  }
}

TEST_F(HttpServerTest, HeadersThatDripInAreLate) {
  const std::string answer =
      reply("GET /health HTTP/1.1\r\nHost: localho", {}, {.request_time = std::chrono::milliseconds(50)});
  EXPECT_TRUE(has_status(answer, 408)) << answer;
}

}  // namespace
}  // namespace diptych
