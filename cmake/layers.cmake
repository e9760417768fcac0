# Which folder's files may include which folders. The target check_layers, part of every build, refuses any other include.
add_custom_target(check_layers ALL
  COMMAND ${CMAKE_COMMAND} -D ROOT=${PROJECT_SOURCE_DIR} -P ${PROJECT_SOURCE_DIR}/cmake/check_layers.cmake
  COMMENT "Checking that includes follow the layers" VERBATIM)
