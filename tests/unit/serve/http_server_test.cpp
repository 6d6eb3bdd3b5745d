#include "diptych/tensor/torch.h"

#include "diptych/serve/http_server.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace diptych
