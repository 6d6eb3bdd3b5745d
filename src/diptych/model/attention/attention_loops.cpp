#include "diptych/model/attention/attention_loops.h"

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace diptych {

namespace {

InstructionSet widest_of_processor() {
#ifdef __x86_64__
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq"))
    return InstructionSet::avx512;
  if (has_avx2) return InstructionSet::avx2;
#endif
  return InstructionSet::baseline;
}

InstructionSet widest_allowed() {
  const char* variable = std::getenv("ATEN_CPU_CAPABILITY");
  const std::string_view allowed = variable == nullptr ? "" : variable;
  if (allowed == "default") return InstructionSet::baseline;
  return allowed == "avx2" ? InstructionSet::avx2 : InstructionSet::avx512;
}

const AttentionLoopSet& chosen_loops() {
#ifdef __x86_64__
  switch (instruction_set()) {
    case InstructionSet::avx512:
      return avx512::loops;
    case InstructionSet::avx2:
      return avx2::loops;
    case InstructionSet::baseline:
      break;
  }
#endif
  return baseline::loops;
}

}  // namespace

InstructionSet instruction_set() {
  static const InstructionSet chosen = std::min(widest_of_processor(), widest_allowed());
  return chosen;
}

bool has_bfloat16_products() {
#ifdef __x86_64__
  return __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

const char* name_of(InstructionSet set) {
  switch (set) {
    case InstructionSet::avx512:
      return "avx512";
    case InstructionSet::avx2:
      return "avx2";
    case InstructionSet::baseline:
      break;
  }
  return "default";
}

template <>
const AttentionLoops<float>& attention_loops<float>() {
  return chosen_loops().of_float;
}

template <>
const AttentionLoops<double>& attention_loops<double>() {
  return chosen_loops().of_double;
}

template <>
const AttentionLoops<Bfloat16>& attention_loops<Bfloat16>() {
  return chosen_loops().of_bfloat16;
}

}  // namespace diptych
