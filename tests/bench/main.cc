#include <gtest/gtest.h>

#include <vector>

#include "bench/child.h"
#include "bench/limits.h"
#include "bench/test_roles.h"

int main(int argc, char** argv) {
  namespace bench = dtrain::bench;
  std::vector<bench::ChildRole> roles = bench::test_roles();
  roles.insert(roles.end(), bench::limit_roles().begin(), bench::limit_roles().end());
  if (const auto status = bench::run_child_role(argc, argv, roles)) return *status;
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
