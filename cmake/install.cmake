# The package that find_package(dtrain) finds: the shared library, its headers, the dtrain command.
# A static dtrain would need its users to find all of its libraries: embed it with
# add_subdirectory() instead.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

target_sources(dtrain PUBLIC
  FILE_SET HEADERS
  BASE_DIRS ${PROJECT_SOURCE_DIR}/include ${PROJECT_BINARY_DIR}/include
  FILES
    ${PROJECT_BINARY_DIR}/include/dtrain/version.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/activation.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/adapt.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/alternative.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/callbacks.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/checkpoint.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/cluster.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/cluster_spec.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/consistency.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/convolution_layers.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/csv.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/dataset.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/dtrain.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/dtype.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/error.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/examples.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/export.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/functional.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/initializers.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/layers.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/learning_rate.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/log.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/logs.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/losses.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/metrics.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/model.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/npy.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/optimizer.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/parameter_client.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/parameter_server.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/preprocessing_layers.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/regularizer.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/pipeline.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/row_table.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/run.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/strategy.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/tfrecord.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/update_rules.h
    ${PROJECT_SOURCE_DIR}/include/dtrain/variable.h)

if(NOT BUILD_SHARED_LIBS)
  message(STATUS "dtrain: no install rules, because BUILD_SHARED_LIBS is off")
  return()
endif()

install(TARGETS dtrain EXPORT dtrain-targets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}
  FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
if(TARGET dtrain_app)
  install(TARGETS dtrain_app RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/dtrain)
install(EXPORT dtrain-targets NAMESPACE dtrain:: DESTINATION ${package_dir})
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/dtrain-config.cmake.in
  ${PROJECT_BINARY_DIR}/dtrain-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/dtrain-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/dtrain-config.cmake
  ${PROJECT_BINARY_DIR}/dtrain-config-version.cmake
  DESTINATION ${package_dir})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
