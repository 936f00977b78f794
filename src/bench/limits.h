#pragma once

#include <span>

#include "bench/child.h"

/// What this machine can do at best, now: the limits that results are compared with. Each limit is
/// an object that keeps its memory, sockets and child process, so that one call is one sample, a
/// few milliseconds long at common sizes, and samples of a result and of its limit can take turns.
/// Between samples a child process sleeps.
namespace dtrain::inline v0::bench {

/// What the limits' child processes do; a program that makes limits adds its own, if any, and
/// hands all to run_child_role().
std::span<const ChildRole> limit_roles();

/// The roles one by one, each in the file of its limit.
void run_stream_child(ChildSide& side);
void run_ring_child(ChildSide& side);
void run_ping_child(ChildSide& side);
void run_zmq_ping_child(ChildSide& side);

}  // namespace dtrain::inline v0::bench
