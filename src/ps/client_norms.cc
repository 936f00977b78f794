// Client's part in clipping by norms: rank 0 adds up what the servers have, see norms.h.
#include "base/strings.h"
#include "ps/client.h"

namespace dtrain::inline v0::ps {

void Client::on_norms(ServerLink& server, const pb::Norms& norms) {
  if (rank_ != 0) return;
  auto answers = norms_.take(static_cast<std::size_t>(&server - servers_.data()), norms);
  if (!answers.ok()) {
    fail(Error(ErrorCode::kProtocol,
               base::str_cat(server.name, ": ", base::without_code(answers.error().what())),
               "Run the same version of dtrain everywhere"));
    return;
  }
  for (const NormCollector::Answer& answer : answers.value()) {
    pb::Request request;
    pb::NormTotals& totals = *request.mutable_norm_totals();
    totals.set_version(norms.version());
    for (const double squares : answer.squares) totals.add_squares(squares);
    // An answer that is lost is asked for again.
    send(servers_[answer.server], request);
  }
}

}  // namespace dtrain::inline v0::ps
