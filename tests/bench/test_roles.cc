#include "bench/test_roles.h"

#include <unistd.h>

#include <cstdlib>

#include "base/strings.h"
#include "dtrain/error.h"

namespace dtrain::bench {
namespace {

void echo(ChildSide& side) {
  while (const auto message = side.parent.receive_or_end()) side.parent.send(*message);
}

void tell(ChildSide& side) {
  char text[16] = {};
  const ssize_t count = read(side.descriptors.at(0), text, sizeof(text));
  const char* variable = std::getenv("BENCH_TEST");
  side.parent.send(base::str_cat(base::join(side.arguments), "|",
                                 variable != nullptr ? variable : "-", "|",
                                 std::string(text, count > 0 ? count : 0)));
}

void parent(ChildSide& side) {
  Child child({.role = "echo"});
  child.channel().send("up");
  side.parent.send(child.channel().receive());
  side.parent.receive_or_end();
}

void fail(ChildSide&) { throw Error(ErrorCode::kInternal, "This child fails, as a test wants it"); }

}  // namespace

std::vector<ChildRole> test_roles() {
  return {{"echo", echo}, {"tell", tell}, {"parent", parent}, {"throw", fail}};
}

}  // namespace dtrain::bench
