set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -DNDEBUG")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")

add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:-Wall;-Wextra;-Wpedantic;-Werror;-Wshadow;-Wnon-virtual-dtor;-Woverloaded-virtual>"
                    "$<$<COMPILE_LANGUAGE:CXX>:-fno-omit-frame-pointer>")

set(QUANTD_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= takes them: address,undefined or thread")
if(QUANTD_SANITIZE)
  add_compile_options(-fsanitize=${QUANTD_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${QUANTD_SANITIZE})
  # GCC 12 warns falsely about code that the sanitizers instrument.
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-maybe-uninitialized -Wno-tsan)
  endif()
endif()

find_program(QUANTD_CCACHE ccache)
if(QUANTD_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${QUANTD_CCACHE})
endif()
find_program(QUANTD_MOLD mold)
if(QUANTD_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
