#pragma once
// Fields of OpenAI's and vLLM's requests that this server does not implement. Left unread, one that constrains or
// changes the answer would be answered as if it were not there.

#include <nlohmann/json.hpp>

namespace diptych {

/** Each throws ApiError (400, code "unsupported") that names the first such field with a value that asks for something.
 *  null, "", [] and {} ask for nothing, nor does the value that is the field's default elsewhere. */
void refuse_unsupported_chat_fields(const nlohmann::json& body);
void refuse_unsupported_message_fields(const nlohmann::json& message, const std::string& param);
void refuse_unsupported_image_fields(const nlohmann::json& body);

}  // namespace diptych
