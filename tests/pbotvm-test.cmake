# add_pbotvm_test(NAME SOURCE... LIBRARIES lib...) builds build/bin/tests/NAME and hands every test in it to ctest, with the
# label "unit". May be called from a folder beside the code that it tests. TIMEOUT seconds: of each test, 300 without it.
function(add_pbotvm_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "LIBRARIES" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  add_executable(${name} ${arg_UNPARSED_ARGUMENTS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin/tests)
  target_link_libraries(${name} PRIVATE ${arg_LIBRARIES} GTest::gmock GTest::gtest_main)
  gtest_discover_tests(${name} TEST_PREFIX "unit." PROPERTIES LABELS unit TIMEOUT ${arg_TIMEOUT} DISCOVERY_TIMEOUT 60)
endfunction()

# add_pbotvm_scripts(LABEL TIMEOUT) hands every test_*.py of this folder to ctest as LABEL.NAME, one entry a file, so that they
# run side by side.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
function(add_pbotvm_scripts label timeout)
  file(GLOB scripts CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/test_*.py)
  foreach(script ${scripts})
    get_filename_component(name ${script} NAME_WE)
    string(REPLACE test_ ${label}. name ${name})
    add_test(NAME ${name} COMMAND ${Python3_EXECUTABLE} -B ${script})
    set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT ${timeout} ENVIRONMENT
      "PYTHONPATH=${PROJECT_SOURCE_DIR}/tests/lib;PBOTVM_TEST_BUILD=${CMAKE_BINARY_DIR}")
    list(APPEND names ${name})
  endforeach()
  set(PBOTVM_SCRIPT_TESTS ${names} PARENT_SCOPE)
endfunction()
