#include "diptych/train/run/ranks.h"

#include <nlohmann/json.hpp>

#include "diptych/base/error.h"
#include "diptych/base/log.h"
#include "diptych/base/text_format.h"
#include "diptych/tensor/failure.h"

namespace diptych {

ProcessPlace place_of_this_rank() {
  const ProcessPlace place = place_from_environment();
  if (place.local_rank_is_assumed)
    log_warning(cat("rank ", place.rank,
                    ": the launcher sets no local rank (such as LOCAL_RANK), so this process counts as "
                    "the first on its machine: run.device=cuda is GPU 0 there"));
  return place;
}

void together(ProcessGroup& ranks, const std::string& what, const std::function<void()>& work) {
  if (ranks.world() == 1) return work();
  std::string own;
  std::exception_ptr thrown;
  try {
    work();
  } catch (const std::exception& failure) {
    const Error error = as_error(failure);
    thrown = std::make_exception_ptr(error);
    own = nlohmann::json{{"code", static_cast<int>(error.code())}, {"text", error.what()}}.dump(
        -1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
  std::vector<std::string> all;
  try {
    all = ranks.gather_strings(own, what);
  } catch (const std::exception&) {
    if (thrown) std::rethrow_exception(thrown);  // the cause; that others are gone as well comes after it
    throw;
  }
  if (thrown) std::rethrow_exception(thrown);
  for (size_t rank = 0; rank < all.size(); ++rank) {
    if (all[rank].empty()) continue;
    const nlohmann::json failure = nlohmann::json::parse(all[rank]);
    throw Error(
        static_cast<ExitCode>(failure.at("code").get<int>()),
        {what, "no error on any rank", cat("one on rank ", rank, ": ", failure.at("text").get<std::string>()), ""});
  }
}

void require_one_process(const std::string& what) {
  const int world = place_from_environment().world;
  if (world == 1) return;
  throw Error(ExitCode::config,
              {what, "one process", cat(world, " of a launcher"),
               "start it without the launcher; only `train` and `sft` of a model run in several processes"});
}

bool any_rank(ProcessGroup& ranks, bool holds, const std::string& what) {
  if (ranks.world() == 1) return holds;
  const Tensor largest = at::full({1}, holds ? 1 : 0, at::kLong);
  ranks.all_reduce_max(largest, what);
  return largest.item<int64_t>() != 0;
}

}  // namespace diptych
