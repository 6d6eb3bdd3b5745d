# Stands in for the TorchConfig.cmake of a LibTorch with CUDA: that file insists on a whole CUDA toolkit, but the libraries
# and headers of LibTorch suffice, and nvcc with the headers of CUDA's runtime for our own kernels.
# ./dev puts this folder on CMAKE_MODULE_PATH in that case only. Input: TORCH_ROOT, the folder `torch` of a wheel or that of
# a LibTorch.

set(TORCH_INSTALL_PREFIX ${TORCH_ROOT})
set(TORCH_INCLUDE_DIRS ${TORCH_ROOT}/include ${TORCH_ROOT}/include/torch/csrc/api/include)
add_library(torch INTERFACE)
# The kernels register themselves when the libraries load, so the linker must not drop the ones it sees no use of.
# Their own dependencies lie in other wheels, which only the loader finds.
target_link_libraries(
  torch INTERFACE -Wl,--no-as-needed ${TORCH_ROOT}/lib/libtorch.so ${TORCH_ROOT}/lib/libtorch_cpu.so
                  ${TORCH_ROOT}/lib/libtorch_cuda.so ${TORCH_ROOT}/lib/libc10_cuda.so ${TORCH_ROOT}/lib/libc10.so
                  -Wl,--as-needed -Wl,--allow-shlib-undefined)
target_compile_definitions(torch INTERFACE USE_DISTRIBUTED USE_C10D_GLOO)

# Headers of CUDA, of the machine or of the wheels beside that of torch: its runtime for our own kernels, its libraries for
# those of torch that NCCL needs. Those of NCCL must be of the version that torch was built with, since they lay out what
# its functions take: those beside it, or those of NCCL_INCLUDE_DIR.
file(GLOB cuda_wheels ${TORCH_ROOT}/../nvidia/cu*/include)
set(cuda_folders ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES} ${cuda_wheels})
find_path(CUDA_RUNTIME_INCLUDE_DIR cuda_runtime_api.h HINTS ${cuda_folders})
find_path(CUDA_LIBRARIES_INCLUDE_DIR cusparse.h HINTS ${cuda_folders})
find_path(NCCL_INCLUDE_DIR nccl.h PATHS ${TORCH_ROOT}/include ${TORCH_ROOT}/../nvidia/nccl/include NO_DEFAULT_PATH)
if(CUDA_RUNTIME_INCLUDE_DIR)
  list(APPEND TORCH_INCLUDE_DIRS ${CUDA_RUNTIME_INCLUDE_DIR})
endif()
if(CUDA_RUNTIME_INCLUDE_DIR AND CUDA_LIBRARIES_INCLUDE_DIR AND NCCL_INCLUDE_DIR)
  list(APPEND TORCH_INCLUDE_DIRS ${CUDA_LIBRARIES_INCLUDE_DIR} ${NCCL_INCLUDE_DIR})
  target_compile_definitions(torch INTERFACE USE_C10D_NCCL)
  message(STATUS "NCCL is compiled in, with the headers in ${NCCL_INCLUDE_DIR}")
else()
  set(missing_headers)
  foreach(header cuda_runtime_api.h:CUDA_RUNTIME_INCLUDE_DIR cusparse.h:CUDA_LIBRARIES_INCLUDE_DIR nccl.h:NCCL_INCLUDE_DIR)
    string(REPLACE ":" ";" name_and_folder ${header})
    list(GET name_and_folder 0 name)
    list(GET name_and_folder 1 folder)
    if(NOT ${folder})
      list(APPEND missing_headers "${name} (-D${folder}=...)")
    endif()
  endforeach()
  list(JOIN missing_headers ", " missing_headers)
  message(STATUS "NCCL is not compiled in, so that several processes talk by way of the CPU: no ${missing_headers}")
endif()
target_include_directories(torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Torch REQUIRED_VARS TORCH_ROOT TORCH_INCLUDE_DIRS)
