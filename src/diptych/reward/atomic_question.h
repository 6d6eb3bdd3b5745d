#pragma once

#include "diptych/data/atomic_question.h"  // IWYU pragma: export
