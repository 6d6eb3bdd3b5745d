#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "diptych/base/ascii.h"
#include "diptych/base/error.h"
#include "diptych/base/log.h"
#include "diptych/base/text_format.h"
#include "diptych/cli/commands/command.h"
#include "diptych/cli/compute_options.h"
#include "diptych/cli/number_checks.h"
#include "diptych/serve/http/http_server.h"
#include "diptych/train/run/stop.h"

namespace diptych {

namespace {

constexpr std::chrono::milliseconds kLookAtSignals{50};

struct ServeArguments {
  std::string model;
  std::string host = "127.0.0.1";
  int port = 8000;
  std::string model_name;
  std::string api_key_variable;
  std::vector<std::string> origins;
  std::string image_context;
  ComputeOptions compute;
  int64_t max_body_mb = 32;
  int64_t max_image_pixels = ServeSettings().max_image_pixels;
  int64_t max_tokens = ServeSettings().max_tokens;
  double request_timeout = 600;
  double read_timeout = 60;
  double drain_timeout = 30;
  EngineLimits engine;
  HttpLimits http;
};

/** Keys come from files and secret stores with a line end, and no header can hold one. */
std::string api_key(const ServeArguments& arguments) {
  if (arguments.api_key_variable.empty()) return "";
  const auto fail = [&](const std::string& fault) {
    return Error(ExitCode::usage, {"--api-key-env", "the name of an environment variable that holds a key",
                                   arguments.api_key_variable + ", which " + fault, ""});
  };
  const char* value = std::getenv(arguments.api_key_variable.c_str());
  if (value == nullptr) throw fail("is not set");
  const std::string_view key = trimmed(value, kHeaderBlanks);
  if (key.empty()) throw fail("is empty");
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  const auto control = std::ranges::find_if(key, is_control);
  if (control != key.end())
    throw fail(cat("has a control character in its middle, character ", control - key.begin() + 1));
  return std::string(key);
}

AccessRules access_of(const ServeArguments& arguments) {
  AccessRules access{api_key(arguments), {}, is_loopback_host(arguments.host)};
  for (const std::string& origin : arguments.origins) {
    if (!is_origin(origin))
      throw Error(ExitCode::usage, {"--allow-origin", "an origin such as http://localhost:3000, or *", origin,
                                    "an origin has a scheme, a host and perhaps a port, and no path"});
    access.origins.push_back(ascii_lower(origin));
  }
  return access;
}

ServeSettings settings_of(const ServeArguments& arguments, const ModelConfig& model) {
  ServeSettings settings = default_settings(model);
  const std::filesystem::path folder = std::filesystem::absolute(arguments.model).lexically_normal();
  settings.model_name = arguments.model_name;
  if (settings.model_name.empty())
    settings.model_name = (folder.has_filename() ? folder : folder.parent_path()).filename().string();
  settings.max_tokens = arguments.max_tokens;
  settings.max_context = arguments.engine.max_context;
  settings.max_choices = arguments.engine.sequences;
  settings.max_image_pixels = arguments.max_image_pixels;
  if (!arguments.image_context.empty() && !model.visual_und)
    throw Error(ExitCode::usage, {"--image-context", "a model with a ViT", "a model folder without one",
                                  "leave the option out: images are read as latents"});
  if (arguments.image_context == "both") settings.image_context = ImageContext::both;
  if (arguments.image_context == "vit") settings.image_context = ImageContext::vit;
  return settings;
}

std::chrono::milliseconds milliseconds_of(double seconds) {
  return std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
}

int serve(ServeArguments arguments) {
  const AccessRules access = access_of(arguments);
  const ModelFolder folder = load_model_folder(arguments.model, arguments.compute);
  const ServeSettings settings = settings_of(arguments, folder.model.config);
  arguments.http.body_bytes = arguments.max_body_mb << 20;
  arguments.http.request_time = milliseconds_of(arguments.read_timeout);

  const StopSignals signals;
  Engine engine(folder.model, folder.tokenizer, arguments.engine);
  Api api(engine, settings, folder.model.config, milliseconds_of(arguments.request_timeout));
  HttpServer server(api, arguments.http, access);
  engine.start();
  const int port = server.start(arguments.host, arguments.port);
  if (access.api_key.empty() && !access.loopback)
    log_warning("other machines can reach this server, and it asks for no key: see --api-key-env");
  const bool is_ipv6 = arguments.host.find(':') != std::string::npos;
  std::printf("listening on http://%s%s%s:%d\n", is_ipv6 ? "[" : "", arguments.host.c_str(), is_ipv6 ? "]" : "", port);
  std::fflush(stdout);

  while (!stop_requested()) std::this_thread::sleep_for(kLookAtSignals);
  log_info("stopping: finishing what is under way");
  server.refuse();
  engine.drain(milliseconds_of(arguments.drain_timeout));
  server.stop();
  return 0;
}

void add_limits(CLI::App& command, ServeArguments& arguments) {
  const std::string group = "Limits";
  const auto add_count = [&](const char* name, int64_t& value, int64_t most, const char* help) {
    command.add_option(name, value, help)
        ->type_name("N")
        ->check(CLI::Range(int64_t{1}, most).description(""))
        ->capture_default_str()
        ->group(group);
  };
  const auto add_seconds = [&](const char* name, double& value, const char* help) {
    command.add_option(name, value, help)
        ->type_name("SECONDS")
        ->check(number_range(0, 1e6))
        ->capture_default_str()
        ->group(group);
  };
  add_count("--max-body-mb", arguments.max_body_mb, 1 << 20, "largest body of a request");
  add_count("--max-image-pixels", arguments.max_image_pixels, int64_t{1} << 28, "of an image in a request");
  add_count("--max-tokens", arguments.max_tokens, 1 << 24, "largest max_tokens of a request");
  add_count("--max-context", arguments.engine.max_context, 1 << 24, "tokens of a prompt with its text");
  add_count("--sequences", arguments.engine.sequences, 1 << 16, "texts and images under way; also the largest n");
  add_count("--images", arguments.engine.images, 1 << 16, "images painted together");
  add_count("--prefill-tokens", arguments.engine.prefill_tokens, 1 << 24, "of prompts, read in one pass");
  add_count("--cache-rows", arguments.engine.cache_rows, int64_t{1} << 32, "tokens whose keys and values are kept");
  add_count("--queue", arguments.engine.waiting, 1 << 24, "requests that wait; more are refused with 429");
  add_count("--connections", arguments.http.connections, 1 << 16, "open at a time; more are refused with 503");
  add_seconds("--request-timeout", arguments.request_timeout, "from a request's arrival to the end of its reply");
  add_seconds("--read-timeout", arguments.read_timeout, "for a request to arrive");
  add_seconds("--drain-timeout", arguments.drain_timeout, "for requests under way once the server is stopped");
}

/** `diptych serve MODEL`: an OpenAI-compatible server over a model folder, until SIGINT or SIGTERM. */
void add_serve(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("serve", "answer OpenAI-compatible requests with a model folder");
  auto arguments = std::make_shared<ServeArguments>();
  command->add_option("model", arguments->model, "model folder, such as assets/shapes_base")
      ->required()
      ->type_name("MODEL");
  command->add_option("--host", arguments->host, "address to listen on; 0.0.0.0: all of this machine")
      ->type_name("ADDRESS")
      ->capture_default_str();
  command->add_option("--port", arguments->port, "0: any free port")
      ->type_name("N")
      ->check(CLI::Range(0, 65535).description(""))
      ->capture_default_str();
  command->add_option("--model-name", arguments->model_name, "the model's name in replies [the folder's name]")
      ->type_name("TEXT");
  command->add_option("--api-key-env", arguments->api_key_variable, "environment variable with the key to ask for")
      ->type_name("NAME");
  command
      ->add_option(
          "--allow-origin", arguments->origins,
          "pages that may use the server from a browser, such as http://localhost:3000; *: all; may be repeated")
      ->type_name("ORIGIN")
      ->allow_extra_args(false);
  command
      ->add_option("--image-context", arguments->image_context,
                   "what a chat sees of an image: both (latent and ViT block) or vit [both; BAGEL: vit]")
      ->type_name("NAME")
      ->check(CLI::IsMember({"both", "vit"}).description(""));
  add_compute_options(*command, arguments->compute);
  add_limits(*command, *arguments);
  command->callback([=, &status] { status = serve(*arguments); });
}

}  // namespace

std::vector<Command> serve_command() {
  return {{.order = 110, .add = add_serve}};
}

}  // namespace diptych
