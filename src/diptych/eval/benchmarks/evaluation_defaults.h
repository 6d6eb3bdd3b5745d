#pragma once

#include "diptych/eval/evaluation_config.h"

namespace diptych {

/** The defaults of [eval], with the sections of all benchmarks that bring one. */
EvaluationConfig evaluation_defaults();

}  // namespace diptych
