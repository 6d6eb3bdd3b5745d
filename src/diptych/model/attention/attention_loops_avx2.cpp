#define DIPTYCH_LOOPS avx2
#define DIPTYCH_VECTOR_BYTES 32
#include "diptych/model/attention/attention_loops_body.h"
