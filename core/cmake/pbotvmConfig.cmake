# find_package(pbotvm): the target pbotvm::pbotvm and the functions of pbotvm-plugin.cmake.
include(CMakeFindDependencyMacro)
find_dependency(Poco COMPONENTS Foundation)
include(${CMAKE_CURRENT_LIST_DIR}/pbotvm-targets.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/pbotvm-plugin.cmake)
