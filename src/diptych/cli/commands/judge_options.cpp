#include "diptych/cli/commands/judge_options.h"

namespace diptych {

void add_judge_options(CLI::App* command, JudgeConfig& config) {
  command->add_option("--url", config.endpoints, "base URL such as http://127.0.0.1:8000/v1; may be given again")
      ->required()
      ->type_name("URL");
  command->add_option("--model", config.model, "name of the model as the servers know it")
      ->required()
      ->type_name("NAME");
  command->add_option("--api-key-env", config.api_key_env, "environment variable that holds the key")
      ->type_name("NAME");
  command->add_option("--concurrency", config.concurrency, "requests under way at once, per URL")
      ->type_name("N")
      ->check(CLI::Range(1, 10000).description(""))
      ->capture_default_str();
  command
      ->add_option("--drip-seconds", config.drip_seconds,
                   "for the rest of a reply after its first byte that is not blank")
      ->type_name("S")
      ->check(CLI::Range(0.001, 86400.0).description(""))
      ->capture_default_str();
  command->add_option("--disable-thinking", config.disable_thinking, "send chat_template_kwargs enable_thinking false")
      ->type_name("BOOL")
      ->capture_default_str();
  command->add_option("--extra-body", config.extra_body, "JSON object of further fields of a request")
      ->type_name("JSON");
}

}  // namespace diptych
