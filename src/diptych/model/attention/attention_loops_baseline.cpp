#define DIPTYCH_LOOPS baseline
#define DIPTYCH_VECTOR_BYTES 16
#include "diptych/model/attention/attention_loops_body.h"
