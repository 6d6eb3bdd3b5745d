#define DIPTYCH_LOOPS avx512
#define DIPTYCH_VECTOR_BYTES 64
#include "diptych/model/attention/attention_loops_body.h"
