# add_pbotvm_test(NAME SOURCE... LIBRARIES lib...) builds build/bin/tests/NAME and hands every test in it to ctest, with the
# label "unit". May be called from a folder beside the code that it tests.
function(add_pbotvm_test name)
  cmake_parse_arguments(arg "" "" "LIBRARIES" ${ARGN})
  add_executable(${name} ${arg_UNPARSED_ARGUMENTS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin/tests)
  target_link_libraries(${name} PRIVATE ${arg_LIBRARIES} GTest::gmock GTest::gtest_main)
  gtest_discover_tests(${name} TEST_PREFIX "unit." PROPERTIES LABELS unit TIMEOUT 60 DISCOVERY_TIMEOUT 60)
endfunction()
