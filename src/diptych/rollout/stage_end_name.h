#pragma once

#include "diptych/rollout/stage.h"

namespace diptych {

/** "painted", "answered", "stopped" or "unreadable": the word that files and the terminal use. */
const char* stage_end_name(StageEnd end);

}  // namespace diptych
