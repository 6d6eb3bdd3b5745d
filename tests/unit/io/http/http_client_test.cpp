#include "diptych/io/http/http_client.h"

#include <gtest/gtest.h>

#include <future>

#include "support/misbehaving_server.h"

namespace diptych {
namespace {

std::future<HttpReply> submit(HttpClient& client, HttpRequest request) {
  auto promise = std::make_shared<std::promise<HttpReply>>();
  client.submit(std::move(request), [promise](HttpReply reply) { promise->set_value(std::move(reply)); });
  return promise->get_future();
}

HttpReply fetch(HttpClient& client, HttpRequest request) {
  return submit(client, std::move(request)).get();
}

HttpRequest post(const std::string& url, const std::string& body = "{}") {
  HttpRequest request;
  request.url = url;
  request.body = body;
  request.headers = {"Content-Type: application/json", "X-Test: yes"};
  return request;
}

MisbehavingServer::Handler always(const ServerReply& reply) {
  return [reply](const SeenRequest&) { return reply; };
}

TEST(HttpClient, SendsAndReceivesWhole) {
  const std::string large(3 << 20, 'x');
  const MisbehavingServer server([](const SeenRequest& request) {
    return ServerReply{.body = "got " + request.body, .status = 418, .headers = {"Retry-After: 7", "X-Other: no"}};
  });
  HttpClient client(2);
  const HttpReply reply = fetch(client, post(server.url() + "/path?q=1", large));
  EXPECT_EQ(reply.failure, HttpFailure::none) << reply.failure_text;
  EXPECT_EQ(reply.failure_text, "");
  EXPECT_EQ(reply.status, 418);
  EXPECT_EQ(reply.content_type, "application/json");
  EXPECT_EQ(reply.retry_after, "7");
  EXPECT_EQ(reply.body, "got " + large);
  const SeenRequest seen = server.seen().at(0);
  EXPECT_EQ(seen.head.substr(0, seen.head.find("\r\n")), "POST /path?q=1 HTTP/1.1");
  EXPECT_NE(seen.head.find("X-Test: yes\r\n"), std::string::npos);
  EXPECT_EQ(seen.head.find("Expect"), std::string::npos);
}

TEST(HttpClient, GetsWithoutABody) {
  const MisbehavingServer server(always({.body = "models"}));
  HttpClient client(1);
  EXPECT_EQ(fetch(client, post(server.url() + "/v1/models", "")).body, "models");
  EXPECT_EQ(server.seen().at(0).head.substr(0, 4), "GET ");
}

TEST(HttpClient, UsesConnectionsAgain) {
  const MisbehavingServer server(always({.body = "{}"}));
  HttpClient client(3);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(fetch(client, post(server.url())).status, 200);
  EXPECT_EQ(server.count(), 5);
  EXPECT_EQ(server.connections(), 1);
}

TEST(HttpClient, KeepsToItsConcurrencyAndUsesAllOfIt) {
  MisbehavingServer server(always({.body = "{}", .manner = Manner::hang}));
  HttpClient client(4);
  std::vector<std::future<HttpReply>> replies;
  for (int i = 0; i < 12; ++i) replies.push_back(submit(client, post(server.url())));
  server.wait_for(4);
  server.release();
  for (auto& reply : replies) EXPECT_EQ(reply.get().status, 200);
  EXPECT_EQ(server.count(), 12);
  EXPECT_EQ(server.most_at_once(), 4);
}

TEST(HttpClient, EveryTransportFailureIsAValue) {
  const std::string body(1000, 'x');
  const MisbehavingServer hanging(always({.body = body, .manner = Manner::hang}));
  const MisbehavingServer resetting(always({.body = body, .manner = Manner::reset}));
  const MisbehavingServer cutting(always({.body = body, .manner = Manner::cut_off}));
  const MisbehavingServer dripping(always({.body = body, .manner = Manner::drip}));
  const MisbehavingServer large(always({.body = body}));
  HttpClient client(8);

  HttpRequest late = post(hanging.url());
  late.timeout_seconds = 0.03;
  EXPECT_EQ(fetch(client, late).failure, HttpFailure::timeout);
  EXPECT_EQ(fetch(client, post(resetting.url())).failure, HttpFailure::connection);
  EXPECT_EQ(fetch(client, post(cutting.url())).failure, HttpFailure::connection);
  EXPECT_EQ(fetch(client, post(dead_url())).failure, HttpFailure::connection);
  EXPECT_EQ(fetch(client, post("file:///etc/hostname")).failure, HttpFailure::connection);

  HttpRequest slow = post(dripping.url());
  slow.drip_seconds = 0.03;
  const HttpReply dripped = fetch(client, slow);
  EXPECT_EQ(dripped.failure, HttpFailure::timeout);
  EXPECT_NE(dripped.failure_text.find("the reply began"), std::string::npos) << dripped.failure_text;

  // Blank bytes that keep the connection open are no beginning.
  const MisbehavingServer waiting(always({.body = std::string(40, '\n'), .manner = Manner::drip}));
  HttpRequest patient = post(waiting.url());
  patient.drip_seconds = 1e-9;
  EXPECT_EQ(fetch(client, patient).failure, HttpFailure::none);

  HttpRequest small = post(large.url());
  small.max_reply_bytes = body.size() - 1;
  EXPECT_EQ(fetch(client, small).failure, HttpFailure::too_large);
  small.max_reply_bytes = body.size();
  EXPECT_EQ(fetch(client, small).failure, HttpFailure::none);
}

TEST(HttpClient, DoesNotFollowRedirects) {
  const MisbehavingServer other(always({.body = "{}"}));
  const MisbehavingServer server(
      always({.body = "", .status = 307, .headers = {"Location: " + other.url() + "/elsewhere"}}));
  HttpClient client(1);
  EXPECT_EQ(fetch(client, post(server.url())).status, 307);
  EXPECT_EQ(other.count(), 0);
}

TEST(HttpClient, TakesTheProxyOfTheEnvironmentOnlyWhenTold) {
  const MisbehavingServer proxy(always({.body = "from the proxy"}));
  const MisbehavingServer server(always({.body = "direct"}));
  ::setenv("http_proxy", proxy.url().c_str(), 1);
  HttpClient direct(1);
  EXPECT_EQ(fetch(direct, post(server.url())).body, "direct");
  HttpClient through(1, true);
  EXPECT_EQ(fetch(through, post(server.url())).body, "from the proxy");
  ::unsetenv("http_proxy");
}

TEST(HttpClient, CancelEndsWhatWasSubmittedAndNothingElse) {
  MisbehavingServer server(always({.body = "{}", .manner = Manner::hang}));
  HttpClient client(2);
  std::vector<std::future<HttpReply>> replies;
  for (int i = 0; i < 5; ++i) replies.push_back(submit(client, post(server.url())));
  server.wait_for(2);
  client.cancel_all();
  for (auto& reply : replies) EXPECT_EQ(reply.get().failure, HttpFailure::cancelled);
  server.release();
  EXPECT_EQ(fetch(client, post(server.url())).status, 200);
}

TEST(HttpClient, CompletesEverythingBeforeItGoesAway) {
  const MisbehavingServer server(always({.body = "{}", .manner = Manner::hang}));
  std::vector<std::future<HttpReply>> replies;
  std::atomic<int> late = 0;
  {
    HttpClient client(2);
    for (int i = 0; i < 5; ++i) replies.push_back(submit(client, post(server.url())));
    client.submit(post(server.url()), [&](const HttpReply&) {
      client.submit(post(server.url()),
                    [&](const HttpReply& reply) { late += reply.failure == HttpFailure::cancelled ? 1 : 0; });
    });
    server.wait_for(2);
  }
  for (auto& reply : replies) EXPECT_EQ(reply.get().failure, HttpFailure::cancelled);
  EXPECT_EQ(late, 1);
}

}  // namespace
}  // namespace diptych
