# add_pbotvm_plugin(KIND NAME SOURCE...) builds KIND-NAME.so where the host looks for plug-ins. The target is called
# KIND-NAME. Hidden visibility keeps one plug-in's helpers out of another's; `-z defs -z now` turns a missing symbol into an
# error when it is linked or loaded, instead of the end of the host when it is first called.
function(add_pbotvm_plugin kind name)
  set(target ${kind}-${name})
  add_library(${target} MODULE ${ARGN})
  set_target_properties(${target} PROPERTIES
    PREFIX ""
    CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib/pbotvm
    INSTALL_RPATH "$ORIGIN/..")
  target_link_libraries(${target} PRIVATE pbotvm::pbotvm Poco::Foundation)
  if(NOT PBOTVM_SANITIZE)
    target_link_options(${target} PRIVATE -Wl,-z,defs)
  endif()
  target_link_options(${target} PRIVATE -Wl,-z,now)
  install(TARGETS ${target} LIBRARY DESTINATION lib/pbotvm)
endfunction()
