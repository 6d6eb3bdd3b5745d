#pragma once
// torch's gradients by hand: functions with a backward pass of their own, and torch::autograd::grad. Apart from
// torch.h, since the templates of these headers would take 1.5 s to compile in each file that reads them.

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include "diptych/tensor/torch.h"
