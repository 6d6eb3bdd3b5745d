# Stands in for the TorchConfig.cmake of a CUDA wheel where no CUDA toolkit is installed: that file insists on the
# toolkit, but the libraries and headers of the wheel suffice for code without CUDA sources.
# ./dev puts this folder on CMAKE_MODULE_PATH in that case only. Input: TORCH_ROOT, the folder `torch` of the wheel.

add_library(torch INTERFACE)
target_include_directories(torch SYSTEM INTERFACE ${TORCH_ROOT}/include ${TORCH_ROOT}/include/torch/csrc/api/include)
set(TORCH_INCLUDE_DIRS ${TORCH_ROOT}/include ${TORCH_ROOT}/include/torch/csrc/api/include)
# The kernels register themselves when the libraries load, so the linker must not drop the ones it sees no use of.
# Their own dependencies lie in other wheels, which only the loader finds.
target_link_libraries(
  torch INTERFACE -Wl,--no-as-needed ${TORCH_ROOT}/lib/libtorch.so ${TORCH_ROOT}/lib/libtorch_cpu.so
                  ${TORCH_ROOT}/lib/libtorch_cuda.so ${TORCH_ROOT}/lib/libc10_cuda.so ${TORCH_ROOT}/lib/libc10.so
                  -Wl,--as-needed -Wl,--allow-shlib-undefined)
target_compile_definitions(torch INTERFACE USE_DISTRIBUTED USE_C10D_GLOO)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Torch REQUIRED_VARS TORCH_ROOT TORCH_INCLUDE_DIRS)
