#include "diptych/rollout/stage_end_name.h"

namespace diptych {

const char* stage_end_name(StageEnd end) {
  switch (end) {
    case StageEnd::painted:
      return "painted";
    case StageEnd::answered:
      return "answered";
    case StageEnd::stopped:
      return "stopped";
    case StageEnd::unreadable:
      return "unreadable";
  }
  return "";
}

}  // namespace diptych
