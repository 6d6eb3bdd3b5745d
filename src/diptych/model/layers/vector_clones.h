#pragma once
// Two versions of a function with loops over plain pointers, chosen when the program starts. AVX2 without FMA rounds
// like the plain version, so the results are the same bits on every x86 machine.

#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__clang__)
#define DIPTYCH_AVX2_CLONE __attribute__((target_clones("default", "avx2")))
#else
#define DIPTYCH_AVX2_CLONE
#endif
