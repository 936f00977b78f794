// What workers send, to a parameter server: a run of messages, each a byte that says how long its
// body is, the body, and a byte that says how many floats its payload has. Nothing may crash,
// hang, or take more memory than the declared table.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "ps/server.h"

namespace dtrain::inline v0 {
namespace {

/// Sends nothing anywhere.
class NullEndpoint final : public transport::Endpoint {
 public:
  void set_handler(transport::Service, transport::Handler*) override {}
  base::Result<transport::LinkId> connect(const std::string&) override { return {1}; }
  base::Status send(transport::LinkId, transport::Message) override { return {}; }
  void close(transport::LinkId) override {}
  void refuse(std::uint64_t) override {}
  void post(std::function<void()>) override {}
  base::TimePoint now() const override { return {}; }
  transport::EndpointCounters counters() const override { return {}; }
  const std::string& address() const override { return address_; }
  std::uint64_t incarnation() const override { return 1; }

 private:
  const std::string address_;
};

constexpr std::size_t kElementsMax = 1 << 16;

/// Tables that are honest but large would only measure the machine's memory.
bool too_large(const std::string& body) {
  ps::pb::Request request;
  if (!request.ParseFromString(body) || !request.has_declare()) return false;
  auto table = ps::from_proto(request.declare().table());
  if (!table.ok()) return false;
  std::size_t count = table.value().layout.count();
  for (const RowTable& rows : table.value().row_tables) {
    count += static_cast<std::size_t>(rows.rows) * static_cast<std::size_t>(rows.width);
    if (count > kElementsMax) return true;
  }
  return count > kElementsMax;
}

void run(std::span<const std::uint8_t> input) {
  NullEndpoint endpoint;
  ps::Server server(endpoint, "ps 0", observe::Logger([](LogLevel, std::string_view) {}));
  const auto take = [&](std::size_t count) {
    const auto taken = input.first(std::min(count, input.size()));
    input = input.subspan(taken.size());
    return taken;
  };
  while (input.size() > 2) {
    const std::size_t length = take(1)[0];
    const auto body = take(length);
    const std::size_t floats = input.empty() ? 0 : take(1)[0];
    transport::Incoming incoming;
    incoming.link = 1;
    incoming.sender = 5 + floats % 2;
    incoming.message.service = transport::Service::kPs;
    incoming.message.body.assign(body.begin(), body.end());
    if (too_large(incoming.message.body)) return;
    // Zeros are keys, too.
    const std::vector<float> payload(floats, floats % 4 == 0 ? 0.0F : 1.0F);
    if (floats > 0) {
      incoming.message.payload.push_back(transport::copy_frame(std::as_bytes(std::span(payload))));
    }
    server.on_message(std::move(incoming));
  }
  server.worker_lost(5, 0);
}

}  // namespace
}  // namespace dtrain::inline v0

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  dtrain::run({data, size});
  return 0;
}
