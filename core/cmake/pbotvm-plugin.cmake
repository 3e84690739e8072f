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

# add_pbotvm_contract_tests(TARGET [SETTINGS YAML] [START]) has ctest look whether a plug-in keeps the contract of its kind.
# SETTINGS is the plug-in's own map, in which %unix% and %tcp% (transports) stand for places where the test listens, and
# %folder% (hypervisors) for the folder of the machine's lines data.sock and heart.sock. START: a hypervisor also starts,
# puts back and ends a machine with these settings. May be called several times.
function(add_pbotvm_contract_tests target)
  cmake_parse_arguments(PARSE_ARGV 1 arg START SETTINGS "")
  set(command pbotvm::pbotvm-plugin-check)
  if(arg_SETTINGS)
    string(REPLACE ";" "\\;" settings "${arg_SETTINGS}")
    list(APPEND command --settings "${settings}")
  endif()
  if(arg_START)
    list(APPEND command --start)
  endif()
  get_property(count TARGET ${target} PROPERTY PBOTVM_CONTRACT_TESTS)
  math(EXPR count "0${count} + 1")
  set_property(TARGET ${target} PROPERTY PBOTVM_CONTRACT_TESTS ${count})
  add_test(NAME contract.${target}.${count} COMMAND ${command} $<TARGET_FILE:${target}>)
  set_tests_properties(contract.${target}.${count} PROPERTIES TIMEOUT 300)
endfunction()

# add_pbotvm_language_test(TARGET CODE TEXT REPLY TEXT [LANGUAGE NAME] [INPUT TEXT] [ARGUMENTS TEXT]) has ctest send a
# request to a language plug-in, run what it plans on this system, and compare the reply.
function(add_pbotvm_language_test target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "CODE;REPLY;LANGUAGE;INPUT;ARGUMENTS" "")
  set(command pbotvm::pbotvm-plugin-check)
  foreach(option CODE REPLY LANGUAGE INPUT ARGUMENTS)
    if(DEFINED arg_${option})
      string(TOLOWER ${option} name)
      string(REPLACE ";" "\\;" value "${arg_${option}}")
      list(APPEND command --${name} "${value}")
    endif()
  endforeach()
  get_property(count TARGET ${target} PROPERTY PBOTVM_LANGUAGE_TESTS)
  math(EXPR count "0${count} + 1")
  set_property(TARGET ${target} PROPERTY PBOTVM_LANGUAGE_TESTS ${count})
  add_test(NAME request.${target}.${count} COMMAND ${command} $<TARGET_FILE:${target}>)
  set_tests_properties(request.${target}.${count} PROPERTIES TIMEOUT 120)
endfunction()
