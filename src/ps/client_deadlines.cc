// Client's other half: when to ask again, when to give up, and what to say then.
#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "ps/client.h"
#include "ps/operation.h"

namespace dtrain::inline v0::ps {

void Client::work_added(ServerLink& server) {
  const bool was_idle = server.retry_at == base::kForever;
  if (!was_idle) return;
  server.busy_since = endpoint_.now();
  server.retry_after = options_.retry_min;
  server.retry_at = server.busy_since + server.retry_after;
}

base::TimePoint Client::on_timer(base::TimePoint now) {
  if (unsendable_) fail(*unsendable_);
  base::TimePoint next = base::kForever;
  for (ServerLink& server : servers_) {
    if (failed_ || server.link == transport::kNoLink) return base::kForever;
    if (server.idle()) {
      server.retry_at = base::kForever;
      server.waiting_for.clear();
      continue;
    }
    if (const base::Status status = check_deadlines(server, now)) {
      fail(*status);
      return base::kForever;
    }
    if (now >= server.retry_at) {
      retry(server);
      server.retry_at = now + server.retry_after;
      server.retry_after = std::min(server.retry_after * 2, options_.retry_max);
    }
    next = std::min({next, server.retry_at, silent_since(server) + options_.silence_max});
  }
  return next;
}

base::TimePoint Client::silent_since(const ServerLink& server) {
  return std::max(server.last_heard, server.busy_since);
}

void Client::retry(ServerLink& server) {
  if (!server.declared) {
    send_declare(server);
    return;
  }
  if (!server.pushes.empty() && server.pushes.front().begun) {
    send(server, begin_request(server.pushes.front()));
  }
  if (!server.pulls.empty() && server.pulls.front().asked) ask(server, server.pulls.front());
}

base::Status Client::check_deadlines(const ServerLink& server, base::TimePoint now) const {
  const base::Duration silent = now - silent_since(server);
  if (silent >= options_.silence_max) {
    return Error(ErrorCode::kUnavailable,
                 base::str_cat(server.name, " has not answered ", describe_work(server), " for ",
                               base::seconds(silent), " s"),
                 "See that server's log; restart the job when it is back");
  }
  const auto too_old = [&](const Operation& operation) {
    return now - operation.started >= options_.operation_max;
  };
  const bool stalled = (!server.pushes.empty() && too_old(*server.pushes.front().operation)) ||
                       (!server.pulls.empty() && too_old(*server.pulls.front().operation));
  if (!stalled) return {};
  return Error(ErrorCode::kDeadlineExceeded,
               base::str_cat(describe_work(server), " to ", server.name, " is not done after ",
                             base::seconds(options_.operation_max), " s: the server waits for ",
                             server.waiting_for.empty() ? "something else" : "worker rank ",
                             base::join(server.waiting_for)),
               "See what that worker does, or raise operation_timeout");
}

std::string Client::describe_work(const ServerLink& server) const {
  if (!server.declared) return "the declaration of the variables";
  if (!server.pushes.empty()) {
    const ServerLink::Push& push = server.pushes.front();
    if (push.operation->freeze != Freeze::kNo) {
      return base::str_cat("the copy for a checkpoint, #", push.sequence, ",");
    }
    return base::str_cat(push.operation->assign ? "assign #" : "push #", push.sequence, " (",
                         push.sent, " of ", push.chunk_count(), " chunks sent)");
  }
  if (!server.pulls.empty()) {
    const ServerLink::Pull& pull = server.pulls.front();
    return base::str_cat("pull #", pull.id, " (", pull.received, " of ", pull.chunk_count(),
                         " chunks received)");
  }
  return "anything";
}

void Client::fail(const Error& error) {
  if (failed_) return;
  failed_ = error;
  declaration_.set(error);
  for (ServerLink& server : servers_) {
    if (server.link != transport::kNoLink) endpoint_.close(server.link);
    server.link = transport::kNoLink;
    for (const auto& push : server.pushes) push.operation->done.set(error);
    for (const auto& pull : server.pulls) pull.operation->done.set(error);
    server.pushes.clear();
    server.pulls.clear();
  }
}

}  // namespace dtrain::inline v0::ps
