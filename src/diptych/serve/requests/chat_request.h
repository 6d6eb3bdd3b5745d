#pragma once
// The body of POST /v1/chat/completions.

#include <string_view>

#include "diptych/serve/requests/settings.h"

namespace diptych {

struct ChatCall {
  Job job;
  bool stream = false;
  bool include_usage = false;  // a last chunk of the stream with the counts of tokens
};

/** Reads a request. Texts and images of all messages become parts in order, without roles; empty texts are left out.
 *  Unknown fields are ignored, as vLLM and SGLang do, but not those of unsupported_fields.h. max_tokens above the
 *  server's becomes the server's. Throws ApiError. */
ChatCall parse_chat(std::string_view body, const ServeSettings& settings);

}  // namespace diptych
