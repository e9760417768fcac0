# CUDA, where nvcc is installed: QUANTD_CUDA is AUTO, ON (an error without nvcc) or OFF. The CUDA runtime is linked statically:
# the programs run on machines that have neither the toolkit nor a driver.
set(QUANTD_CUDA AUTO CACHE STRING "Build the CUDA device: AUTO, ON or OFF")
set(QUANTD_CUDA_FOUND OFF)
if(NOT QUANTD_CUDA STREQUAL "OFF")
  find_program(QUANTD_NVCC nvcc PATHS /usr/local/cuda/bin)
  if(QUANTD_NVCC)
    set(CMAKE_CUDA_COMPILER ${QUANTD_NVCC})
    # Machine code for A100 and H100, and PTX for what comes after.
    set(CMAKE_CUDA_ARCHITECTURES 80-real 90)
    set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
    enable_language(CUDA)
    set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)  # CMake 3.25 does not know it of CUDA 13
    set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
    set(CMAKE_CUDA_STANDARD 20)
    find_package(CUDAToolkit REQUIRED)
    set(QUANTD_CUDA_FOUND ON)
  elseif(QUANTD_CUDA STREQUAL "ON")
    message(FATAL_ERROR "QUANTD_CUDA is ON and there is no nvcc")
  endif()
endif()
