# A module is a folder of src/: a static library `dtrain_<name>` that the tests of the module link
# directly and whose objects make up the one library that is installed.

set(DTRAIN_COMPILE_OPTIONS -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wold-style-cast
                           -Woverloaded-virtual -Wno-missing-field-initializers)
if(DTRAIN_WERROR)
  list(APPEND DTRAIN_COMPILE_OPTIONS -Werror)
endif()
set(DTRAIN_LINK_OPTIONS "")
if(DTRAIN_SANITIZE)
  list(APPEND DTRAIN_COMPILE_OPTIONS -fsanitize=${DTRAIN_SANITIZE} -fno-omit-frame-pointer
                                     -fno-sanitize-recover=all)
  list(APPEND DTRAIN_LINK_OPTIONS -fsanitize=${DTRAIN_SANITIZE})
endif()
if(DTRAIN_FUZZ)
  # The fuzzer steers by what the library's code reports as covered.
  list(APPEND DTRAIN_COMPILE_OPTIONS -fsanitize=fuzzer-no-link)
  list(APPEND DTRAIN_LINK_OPTIONS -fsanitize=fuzzer-no-link)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  list(APPEND DTRAIN_COMPILE_OPTIONS -Wthread-safety)
  if(DTRAIN_SANITIZE)
    # Checks inside a loop keep clang from vectorising it, which it would warn of.
    list(APPEND DTRAIN_COMPILE_OPTIONS -Wno-pass-failed)
  endif()
endif()

# Settings that every target of this project has and that no user of the library inherits.
function(dtrain_target_defaults target)
  target_compile_features(${target} PRIVATE cxx_std_20)
  target_compile_options(${target} PRIVATE ${DTRAIN_COMPILE_OPTIONS})
  target_link_options(${target} PRIVATE ${DTRAIN_LINK_OPTIONS})
  set_target_properties(${target} PROPERTIES
    CXX_EXTENSIONS OFF
    POSITION_INDEPENDENT_CODE ON
    CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON)
endfunction()

# dtrain_module(<name> SOURCES ... [MODULES <lower modules> ...] [LIBRARIES <third party> ...])
function(dtrain_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;MODULES;LIBRARIES" ${ARGN})
  set(target dtrain_${name})
  add_library(${target} STATIC ${ARG_SOURCES})
  dtrain_target_defaults(${target})
  target_compile_definitions(${target} PUBLIC DTRAIN_BUILDING)
  target_include_directories(${target} PUBLIC
    ${PROJECT_SOURCE_DIR}/include ${PROJECT_BINARY_DIR}/include ${PROJECT_SOURCE_DIR}/src
    ${PROJECT_BINARY_DIR}/src)
  list(TRANSFORM ARG_MODULES PREPEND dtrain_)
  target_link_libraries(${target} PUBLIC ${ARG_MODULES} PRIVATE ${ARG_LIBRARIES})
  set_property(GLOBAL APPEND PROPERTY DTRAIN_MODULES ${target})
  set_property(GLOBAL APPEND PROPERTY DTRAIN_LIBRARIES ${ARG_LIBRARIES})
endfunction()

# dtrain_protobuf(<module> <file>.proto ...): C++ sources under <build>/src/<module>/.
function(dtrain_protobuf name)
  foreach(proto IN LISTS ARGN)
    get_filename_component(stem ${proto} NAME_WE)
    set(out ${PROJECT_BINARY_DIR}/src/${name}/${stem}.pb)
    add_custom_command(
      OUTPUT ${out}.cc ${out}.h
      COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/src/${name}
      COMMAND protobuf::protoc --cpp_out=${PROJECT_BINARY_DIR}/src -I ${PROJECT_SOURCE_DIR}/src
              ${PROJECT_SOURCE_DIR}/src/${name}/${proto}
      DEPENDS ${PROJECT_SOURCE_DIR}/src/${name}/${proto}
      COMMENT "protoc ${name}/${proto}")
    target_sources(dtrain_${name} PRIVATE ${out}.cc)
    set_source_files_properties(${out}.cc PROPERTIES COMPILE_OPTIONS "-w")
    target_include_directories(dtrain_${name} SYSTEM PUBLIC ${PROJECT_BINARY_DIR}/src)
  endforeach()
endfunction()

# dtrain_test(<name> SOURCES ... [MODULES ...] [LIBRARIES ...] [SERIAL] [TIMEOUT s]): one gtest
# program, its cases registered one by one. SERIAL: nothing else runs beside it. Programs of the
# modules in DTRAIN_TSAN_MODULES get the label `tsan`: the test preset of that name runs those.
set(DTRAIN_TSAN_MODULES base support observe compute transport cluster data ps)
function(dtrain_test name)
  cmake_parse_arguments(ARG "SERIAL" "TIMEOUT" "SOURCES;MODULES;LIBRARIES" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 120)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  dtrain_target_defaults(${name})
  list(TRANSFORM ARG_MODULES PREPEND dtrain_)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(${name} PRIVATE ${ARG_MODULES} ${ARG_LIBRARIES} GTest::gtest_main)
  set(serial FALSE)
  if(ARG_SERIAL)
    set(serial TRUE)
  endif()
  get_filename_component(module ${CMAKE_CURRENT_SOURCE_DIR} NAME)
  set(label "")
  if(module IN_LIST DTRAIN_TSAN_MODULES)
    set(label LABELS tsan)
    set_property(GLOBAL APPEND PROPERTY DTRAIN_TSAN_TESTS ${name})
  endif()
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST TEST_PREFIX "${name}."
    PROPERTIES TIMEOUT ${ARG_TIMEOUT} RUN_SERIAL ${serial} ${label})
endfunction()
