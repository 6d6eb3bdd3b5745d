#pragma once
// A device that is not the CPU, for tests on machines that have no other: torch's spare device type with kernels that
// copy to the host, compute there and copy back. It is as strict as a GPU: its memory cannot be read or written from
// the host but by a copy, and operands on different devices are refused.

#include "diptych/tensor/torch.h"

namespace diptych {

/** The device, registered with torch by the first call. */
at::Device pretend_gpu();

/** How often the program made the host wait for the device since the process began: copies to the host, and copies to
 *  the device that were not asked for as non_blocking. */
int64_t host_waits();

/** Calls of attention over sequences of several lengths (_flash_attention_forward) since the process began. */
int64_t attention_calls();

/** Gives the device its fused layers; pretend_gpu() does so. */
void register_pretended_kernels();

/** Calls of the fused layers of bfloat16 (model/layers/fused_kernels.h), forward, since the process began. */
int64_t fused_layer_calls();

}  // namespace diptych
