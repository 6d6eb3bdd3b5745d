#include "diptych/model/attention_loops.h"

namespace diptych {

namespace {

#ifdef DIPTYCH_X86
bool has_avx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq");
}
#endif

}  // namespace

template <>
const AttentionLoops<float>& attention_loops<float>() {
#ifdef DIPTYCH_X86
  if (has_avx512()) return avx512::float_loops;
  if (has_avx2()) return avx2::float_loops;
#endif
  return baseline::float_loops;
}

template <>
const AttentionLoops<double>& attention_loops<double>() {
#ifdef DIPTYCH_X86
  if (has_avx512()) return avx512::double_loops;
  if (has_avx2()) return avx2::double_loops;
#endif
  return baseline::double_loops;
}

}  // namespace diptych
