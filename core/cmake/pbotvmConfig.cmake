# find_package(pbotvm): the target pbotvm::pbotvm and the functions of pbotvm-plugin.cmake.
include(CMakeFindDependencyMacro)
find_dependency(Poco COMPONENTS Foundation)
include(${CMAKE_CURRENT_LIST_DIR}/pbotvm-targets.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/pbotvm-plugin.cmake)

# A plug-in is installed where the host that it was built for looks, unless its author says otherwise.
if(CMAKE_INSTALL_PREFIX_INITIALIZED_TO_DEFAULT)
  get_filename_component(pbotvm_prefix ${CMAKE_CURRENT_LIST_DIR}/../../.. ABSOLUTE)
  set(CMAKE_INSTALL_PREFIX ${pbotvm_prefix} CACHE PATH "Where PBotVM is" FORCE)
endif()
