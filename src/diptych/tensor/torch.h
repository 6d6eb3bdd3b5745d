#pragma once
// The torch headers that nearly every tensor file uses: the precompiled header of every tensor library.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace diptych {
using at::Tensor;
}
