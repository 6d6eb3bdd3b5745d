// 10: the tokenizer.

#include <nlohmann/json.hpp>

#include "diptych/base/text_format.h"
#include "diptych/io/files.h"
#include "diptych/parity/comparison.h"
#include "diptych/parity/items.h"
#include "diptych/rollout/context.h"

namespace diptych {

using Json = nlohmann::json;
using Ids = std::vector<int64_t>;

ItemResult tokenizer_item(const ParityCase& parity) {
  const Json fixture = Json::parse(read_file(parity.folder / "10_tokenizer.json"));
  Comparison comparison(parity.item);
  const Tokenizer& tokenizer = parity.loaded->tokenizer;
  const Json& rows = fixture.at("rows");
  for (size_t i = 0; i < rows.size(); ++i) {
    const Ids ids = rows[i].at("ids").get<Ids>();
    comparison.exact(tokenizer.encode(rows[i].at("text").get<std::string>()) == ids, cat("rows[", i, "].ids"));
    comparison.exact(tokenizer.decode(ids) == rows[i].at("decoded").get<std::string>(), cat("rows[", i, "].decoded"));
  }
  const Json& decode_rows = fixture.at("decode_rows");
  for (size_t i = 0; i < decode_rows.size(); ++i) {
    const Json& row = decode_rows[i];
    const Ids ids = row.at("ids").get<Ids>();
    comparison.exact(tokenizer.decode(ids) == row.at("text").get<std::string>(), cat("decode_rows[", i, "].text"));
    comparison.exact(tokenizer.decode(ids, true) == row.at("text_skip_special").get<std::string>(),
                     cat("decode_rows[", i, "].text_skip_special"));
  }
  const Json& special = fixture.at("special_ids");
  comparison.exact(tokenizer.im_start() == special.at("bos_token_id"), "special_ids.bos_token_id");
  comparison.exact(tokenizer.im_end() == special.at("eos_token_id"), "special_ids.eos_token_id");
  comparison.exact(tokenizer.vision_start() == special.at("start_of_image"), "special_ids.start_of_image");
  comparison.exact(tokenizer.vision_end() == special.at("end_of_image"), "special_ids.end_of_image");
  comparison.exact(tokenizer.endoftext() == fixture.at("endoftext"), "endoftext");
  const Json& example = fixture.at("text_segment_example");
  comparison.exact(text_ids(tokenizer, example.at("text").get<std::string>()) == example.at("ids").get<Ids>(),
                   "text_segment_example");
  return comparison.result();
}

}  // namespace diptych
