# quantd_library(NAME SOURCES … DEPS …): a static library of one layer. Includes are written from the project's root.
function(quantd_library NAME)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_library(${NAME} STATIC ${ARG_SOURCES})
  target_include_directories(${NAME} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(${NAME} PUBLIC ${ARG_DEPS})
endfunction()

# quantd_binary(NAME SOURCES … DEPS …): a program in bin/.
function(quantd_binary NAME)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${NAME} ${ARG_SOURCES})
  target_include_directories(${NAME} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${NAME} PRIVATE ${ARG_DEPS})
endfunction()

# quantd_test(NAME [SLOW] SOURCES … DEPS … [ARGS …]): a GoogleTest program, one ctest entry. SLOW ones are left out of
# `scripts/test --quick`.
function(quantd_test NAME)
  cmake_parse_arguments(ARG "SLOW" "" "SOURCES;DEPS;ARGS" ${ARGN})
  add_executable(${NAME} ${ARG_SOURCES})
  target_include_directories(${NAME} PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${NAME} PRIVATE ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  set_target_properties(${NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  add_test(NAME ${NAME} COMMAND ${NAME} ${ARG_ARGS} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(${NAME} PROPERTIES TIMEOUT 600)
  if(ARG_SLOW)
    set_tests_properties(${NAME} PROPERTIES LABELS slow)
  endif()
endfunction()
