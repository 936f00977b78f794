// Shared memory between endpoints: what the suite cannot see, because it is the same everywhere.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <fstream>
#include <thread>

#include "base/completion.h"
#include "base/shared_memory.h"
#include "base/strings.h"
#include "transport/harness.h"
#include "transport/shm_session.h"

namespace dtrain::transport {
namespace {

class SharedMemoryEndpoint : public testing::Test {
 protected:
  EndpointOptions options(std::uint64_t incarnation, bool listens = false,
                          SharedMemoryUse use = SharedMemoryUse::kAuto) {
    EndpointOptions options;
    if (listens) options.listen = harness_->fresh_address();
    options.incarnation = incarnation;
    options.shared_memory = use;
    options.linger = std::chrono::milliseconds(500);
    return options;
  }

  const std::unique_ptr<Harness> harness_ = make_zmq_harness("127.0.0.1");
};

/// Memory that an endpoint shares, filled with floats, and a frame of a part of it whose hold can
/// be watched.
struct Lent {
  explicit Lent(Endpoint& endpoint, std::size_t bytes = 1 << 20)
      : memory(base::SharedMemory::create(bytes).value()) {
    endpoint.share(memory);
  }
  Frame frame(std::size_t offset, std::size_t length) {
    auto owner = std::make_shared<int>(0);
    hold = owner;
    return {memory->bytes().subspan(offset, length), std::move(owner)};
  }
  std::shared_ptr<base::SharedMemory> memory;
  std::weak_ptr<const void> hold;
};

Message message_with(Frame frame) {
  Message message = message_of("x");
  message.payload.push_back(std::move(frame));
  return message;
}

int mappings_of_shared_memory() {
  std::ifstream maps("/proc/self/maps");
  int count = 0;
  for (std::string line; std::getline(maps, line);) {
    if (line.find("memfd:dtrain") != std::string::npos) ++count;
  }
  return count;
}

TEST_F(SharedMemoryEndpoint, PayloadDoesNotTouchTheNetwork) {
  Peer server(*harness_, options(1, true));
  Peer client(*harness_, options(2));
  const LinkId link = client.connect(server.endpoint().address());
  for (const std::size_t size : {100U, 4'000U, 5'000U, 3'000'000U}) {
    EXPECT_FALSE(client.send(link, message_with(frame_of(size, 7))));
  }
  ASSERT_TRUE(server.wait_for(4));
  EXPECT_TRUE(equal(server.received().at(3).message.payload.at(0), frame_of(3'000'000, 7)));
  EXPECT_NE(server.received().at(0).link & kSharedBit, 0U);
  const EndpointCounters sent = client.endpoint().counters();
  const EndpointCounters received = server.endpoint().counters();
  EXPECT_EQ(sent.payload_bytes_sent, 3'009'100U);
  EXPECT_EQ(sent.shared_bytes_sent, sent.payload_bytes_sent);
  EXPECT_EQ(sent.staged_bytes, sent.payload_bytes_sent) << "none of it lay in shared memory";
  EXPECT_EQ(received.shared_bytes_received, received.payload_bytes_received);
}

TEST_F(SharedMemoryEndpoint, FrameInSharedMemoryIsLentWhereItLiesUntilTheReceiverLetsGo) {
  Peer server(*harness_, options(1, true));
  Peer client(*harness_, options(2));
  Lent lent(client.endpoint());
  EXPECT_FALSE(client.send(client.connect(server.endpoint().address()),
                           message_with(lent.frame(64, 500'000))));
  ASSERT_TRUE(server.wait_for(1));
  EXPECT_EQ(client.endpoint().counters().staged_bytes, 0U);
  {
    const Frame frame = server.received().at(0).message.payload.at(0);
    ASSERT_EQ(frame.bytes.size(), 500'000U);
    EXPECT_EQ(frame.bytes[1000], std::byte{0});
    lent.memory->writable()[64 + 1000] = std::byte{9};
    EXPECT_EQ(frame.bytes[1000], std::byte{9}) << "it is the sender's memory, not a copy";
  }
  client.on_io([] {});
  EXPECT_FALSE(lent.hold.expired()) << "the receiver still has it";
  server.received().clear();
  EXPECT_TRUE(harness_->wait_until([&] { return lent.hold.expired(); }));
}

TEST_F(SharedMemoryEndpoint, LeasesComeBackFromAnyThreadAndWithTheMessageRefused) {
  Peer server(*harness_, options(1, true));
  Peer client(*harness_, options(2));
  Lent lent(client.endpoint());
  const LinkId link = client.connect(server.endpoint().address());
  for (std::size_t i = 0; i < 100; ++i) {
    EXPECT_FALSE(client.send(link, message_with(lent.frame(i * 4096, 4096))));
    ASSERT_TRUE(server.wait_for(1));
    std::thread([&] { server.received().clear(); }).join();
    ASSERT_TRUE(harness_->wait_until([&] { return lent.hold.expired(); })) << i;
  }
  server.on_io([&] { server.endpoint().refuse(2); });
  EXPECT_FALSE(client.send(link, message_with(lent.frame(0, 4096))));
  EXPECT_TRUE(harness_->wait_until([&] { return lent.hold.expired(); }));
}

TEST_F(SharedMemoryEndpoint, PeerThatEndsGivesEverythingBack) {
  auto server = std::make_unique<Peer>(*harness_, options(1, true));
  Peer client(*harness_, options(2));
  Lent lent(client.endpoint());
  EXPECT_FALSE(
      client.send(client.connect(server->endpoint().address()), message_with(lent.frame(0, 4096))));
  ASSERT_TRUE(server->wait_for(1));
  const Frame kept = server->received().at(0).message.payload.at(0);
  EXPECT_FALSE(lent.hold.expired());
  server.reset();
  EXPECT_TRUE(harness_->wait_until([&] { return lent.hold.expired(); }));
  EXPECT_EQ(kept.bytes[100], std::byte{0}) << "still mapped";
}

TEST_F(SharedMemoryEndpoint, ClosedLinkGivesEverythingBackAtOnce) {
  Peer server(*harness_, options(1, true));
  Peer client(*harness_, options(2));
  Lent lent(client.endpoint());
  const LinkId link = client.connect(server.endpoint().address());
  EXPECT_FALSE(client.send(link, message_with(lent.frame(0, 4096))));
  ASSERT_TRUE(server.wait_for(1));
  client.close(link);
  EXPECT_TRUE(lent.hold.expired());
  base::Status status;
  EXPECT_TRUE(harness_->wait_until([&] {
    status = server.send(server.received().at(0).link, message_of("?"));
    return status.has_value();
  }));
  EXPECT_EQ(status->code(), ErrorCode::kUnavailable);
}

TEST_F(SharedMemoryEndpoint, MemoryThatIsGoneIsUnmappedAtThePeersToo) {
  Peer server(*harness_, options(1, true));
  Peer client(*harness_, options(2));
  const LinkId link = client.connect(server.endpoint().address());
  EXPECT_FALSE(client.send(link, message_of("first")));
  ASSERT_TRUE(server.wait_for(1));
  const int before = mappings_of_shared_memory();
  {
    Lent lent(client.endpoint());
    EXPECT_FALSE(client.send(link, message_with(lent.frame(0, 4096))));
    ASSERT_TRUE(server.wait_for(2));
    EXPECT_EQ(mappings_of_shared_memory(), before + 2);
    server.received().clear();
    EXPECT_TRUE(harness_->wait_until([&] { return lent.hold.expired(); }));
  }
  EXPECT_TRUE(harness_->wait_until([&] {
    client.on_io([] {});
    return mappings_of_shared_memory() == before;
  }));
}

TEST_F(SharedMemoryEndpoint, PeerThatHasItSwitchedOffIsTalkedToOverTheNetworkAndItIsSaidOnce) {
  Peer server(*harness_, options(1, true, SharedMemoryUse::kOff));
  Peer client(*harness_, options(2));
  for (int i = 0; i < 3; ++i) {
    const LinkId link = client.connect(server.endpoint().address());
    EXPECT_FALSE(client.send(link, message_with(frame_of(5000))));
    EXPECT_FALSE(client.send(link, message_of("second")));
  }
  ASSERT_TRUE(server.wait_for(6));
  EXPECT_EQ(client.endpoint().counters().shared_bytes_sent, 0U);
  EXPECT_EQ(harness_->log().count("shared memory is off"), 1);
  EXPECT_EQ(harness_->log().count("switched off; using tcp"), 1);
}

TEST_F(SharedMemoryEndpoint, WhoMustShareMemoryFailsWithThePeerAndTheReason) {
  Peer server(*harness_, options(1, true, SharedMemoryUse::kOff));
  Peer client(*harness_, options(2, false, SharedMemoryUse::kRequired));
  const LinkId link = client.connect(server.endpoint().address());
  base::Status status;
  ASSERT_TRUE(harness_->wait_until([&] {
    status = client.send(link, message_of("x"));
    return status.has_value();
  }));
  EXPECT_EQ(status->code(), ErrorCode::kFailedPrecondition);
  EXPECT_NE(std::string(status->what()).find(server.endpoint().address()), std::string::npos);
  EXPECT_NE(std::string(status->what()).find("switched off"), std::string::npos);
  EXPECT_EQ(server.received().count(), 0U);
}

TEST_F(SharedMemoryEndpoint, SlowReceiverFillsTheQueueToItsLimit) {
  EndpointOptions server_options = options(1, true);
  server_options.limits.queue_messages_max = 20;
  Peer server(*harness_, server_options);
  Peer client(*harness_, options(2));
  EXPECT_FALSE(client.send(client.connect(server.endpoint().address()), message_of("hello")));
  ASSERT_TRUE(server.wait_for(1));
  const LinkId link = server.received().at(0).link;
  const base::Completion<base::Done> go_on;
  client.endpoint().post([go_on] { go_on.get(); });
  base::Status status;
  std::size_t sent = 0;
  const Frame frame = frame_of(1 << 20);
  for (; sent < 500 && !status; sent += status ? 0 : 1) {
    status = server.send(link, message_with(frame));
  }
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->code(), ErrorCode::kResourceExhausted);
  EXPECT_GE(sent, 20U);
  EXPECT_LE(sent, 100U) << "the receiver's part is bounded";
  go_on.set(base::Done{});
  EXPECT_TRUE(client.wait_for(sent));
  EXPECT_TRUE(harness_->wait_until([&] { return !server.send(link, message_of("again")); }));
}

TEST_F(SharedMemoryEndpoint, LargeBodiesAndManyMiddlingFramesArrive) {
  Peer server(*harness_, options(1, true));
  Peer client(*harness_, options(2));
  const LinkId link = client.connect(server.endpoint().address());
  Message message = message_of(std::string(1 << 20, 'b'));
  for (unsigned i = 0; i < 16; ++i) message.payload.push_back(frame_of(3000 + i, i));
  EXPECT_FALSE(client.send(link, message));
  ASSERT_TRUE(server.wait_for(1));
  const Incoming incoming = server.received().at(0);
  EXPECT_EQ(incoming.message.body, std::string(1 << 20, 'b'));
  for (unsigned i = 0; i < 16; ++i) {
    EXPECT_TRUE(equal(incoming.message.payload.at(i), frame_of(3000 + i, i))) << i;
  }
}

TEST_F(SharedMemoryEndpoint, TwoServersThatKnowEachOtherTalkBothWays) {
  Peer a(*harness_, options(1, true));
  Peer b(*harness_, options(2, true));
  const LinkId to_b = a.connect(b.endpoint().address());
  const LinkId to_a = b.connect(a.endpoint().address());
  for (int i = 0; i < 200; ++i) {
    EXPECT_FALSE(a.send(to_b, message_with(frame_of(20'000, 1))));
    EXPECT_FALSE(b.send(to_a, message_with(frame_of(20'000, 2))));
  }
  ASSERT_TRUE(a.wait_for(200) && b.wait_for(200));
  EXPECT_TRUE(equal(a.received().at(199).message.payload.at(0), frame_of(20'000, 2)));
  EXPECT_EQ(a.endpoint().counters().shared_bytes_received, 4'000'000U);
}

}  // namespace
}  // namespace dtrain::transport
