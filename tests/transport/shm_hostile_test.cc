// A peer of the same user that breaks every rule of the hand-over and of the ring: it is refused,
// and nobody else notices.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include <array>
#include <cstring>
#include <functional>
#include <future>

#include "base/shared_memory.h"
#include "support/time_scale.h"
#include "transport/harness.h"
#include "transport/shm_note.h"
#include "transport/shm_record.h"
#include "transport/shm_ring.h"
#include "transport/shm_socket.h"
#include "wire/header.h"

namespace dtrain::transport {
namespace {

constexpr std::uint64_t kJob = 7;

/// Asks a listening endpoint where its shared memory is, as a peer would.
std::string listener_of(const Endpoint& endpoint) {
  wire::Header header;
  header.service = static_cast<std::uint8_t>(Service::kTransport);
  header.job = kJob;
  header.sender = 99;
  const wire::HeaderBytes bytes = wire::encode_header(header);
  const std::string question =
      std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()) +
      encode_note({ShmNote::Kind::kAsk, ""});
  void* context = zmq_ctx_new();
  void* socket = zmq_socket(context, ZMQ_DEALER);
  const int linger = 0;
  zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof(linger));
  zmq_connect(socket, endpoint.address().c_str());
  zmq_send(socket, question.data(), question.size(), 0);
  std::array<char, 1024> answer;
  const int size = zmq_recv(socket, answer.data(), answer.size(), 0);
  zmq_close(socket);
  zmq_ctx_term(context);
  const auto note = decode_note(
      {answer.data() + wire::kHeaderBytes, static_cast<std::size_t>(size) - wire::kHeaderBytes});
  return note.value().text;
}

struct Greeting {
  std::uint32_t magic = 0x4D535444;
  std::uint16_t version = 1;
  std::uint16_t kind = 1;
  std::uint64_t job = kJob;
  std::uint64_t incarnation = 5;
};

template <typename Layout>
std::string_view bytes_of(const Layout& layout) {
  return {reinterpret_cast<const char*>(&layout), sizeof(layout)};
}

class HostilePeer : public testing::Test {
 protected:
  HostilePeer() {
    EXPECT_FALSE(friend_.send(link_, message_of("before")));
    EXPECT_TRUE(server_.wait_for(1));
    socket_ = std::move(connect_abstract(listener_of(server_.endpoint())).value());
  }
  ~HostilePeer() override {
    const std::size_t before = server_.received().count();
    EXPECT_FALSE(friend_.send(link_, message_of("after")));
    EXPECT_TRUE(server_.wait_for(before + 1));
    EXPECT_EQ(server_.received().at(before).message.body, "after");
    EXPECT_GT(friend_.endpoint().counters().messages_sent, 1U);
  }

  static EndpointOptions options(std::uint64_t incarnation, const std::string& listen) {
    EndpointOptions options;
    options.listen = listen;
    options.job = kJob;
    options.incarnation = incarnation;
    options.shared_memory = SharedMemoryUse::kAuto;
    return options;
  }

  void greet(int outbox, int doorbell) {
    const std::array fds{outbox, doorbell};
    send_packet(socket_, bytes_of(Greeting{}), fds);
  }
  /// A whole hand-over: from here on the ring is ours.
  void shake_hands() {
    greet(outbox_->fd(), doorbell_.get());
    Packet packet;
    ASSERT_TRUE(support::eventually([&] {
      return receive_packet(socket_, packet) == PacketStatus::kDone && packet.fds.size() == 2;
    }));
    bell_ = std::move(packet.fds[1]);
    ring_.emplace(outbox_, base::SharedMemory::map(packet.fds[0].release(), 1).value());
  }
  void hand_over_segment(int fd) {
    struct {
      std::uint32_t magic = 0x4D535444;
      std::uint16_t version = 1;
      std::uint16_t kind = 3;
      std::uint64_t id = 1;
    } segment;
    send_packet(socket_, bytes_of(segment), {&fd, 1});
  }
  void put(const ShmRecord& record) {
    std::vector<std::byte> bytes;
    encode_record(record, bytes);
    ASSERT_EQ(ring_->put(bytes), ShmRing::Put::kDone);
    transport::ring(bell_);
  }
  void put_frame(std::uint64_t segment, std::uint64_t offset, std::uint64_t length) {
    ShmRecord record;
    record.frames.push_back({});
    record.frames.push_back({.segment = segment, .offset = offset, .lease = 1, .length = length});
    put(record);
  }
  bool closed() {
    return support::eventually([&] {
      Packet packet;
      return receive_packet(socket_, packet) == PacketStatus::kClosed;
    });
  }

  const std::unique_ptr<Harness> harness_ = make_zmq_harness("127.0.0.1");
  Peer server_{*harness_, options(1, harness_->fresh_address())};
  Peer friend_{*harness_, options(2, "")};
  const LinkId link_ = friend_.connect(server_.endpoint().address());
  std::shared_ptr<base::SharedMemory> outbox_ = base::SharedMemory::create(kShmOutboxBytes).value();
  Fd doorbell_ = make_doorbell();
  Fd bell_;
  Fd socket_;
  std::optional<ShmRing> ring_;
};

TEST_F(HostilePeer, PacketsThatAreNoneEndTheHandOver) {
  send_packet(socket_, std::string(300, '\xFF'), {});
  EXPECT_TRUE(closed());
}

TEST_F(HostilePeer, LongPacketsEndTheHandOver) {
  send_packet(socket_, std::string(100'000, 'x'), {});
  EXPECT_TRUE(closed());
}

TEST_F(HostilePeer, TooManyDescriptorsEndTheHandOver) {
  const int fd = doorbell_.get();
  const std::array fds{fd, fd};
  send_packet(socket_, "x", fds);
  EXPECT_TRUE(closed());
}

TEST_F(HostilePeer, GreetingWithoutDescriptorsIsRefused) {
  send_packet(socket_, bytes_of(Greeting{}), {});
  EXPECT_TRUE(closed());
}

TEST_F(HostilePeer, GreetingOfAnotherJobIsRefused) {
  const std::array fds{outbox_->fd(), doorbell_.get()};
  send_packet(socket_, bytes_of(Greeting{.job = kJob + 1}), fds);
  EXPECT_TRUE(closed());
}

TEST_F(HostilePeer, OutboxThatCouldShrinkIsRefused) {
  const Fd unsealed(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(ftruncate(unsealed.get(), kShmOutboxBytes), 0);
  greet(unsealed.get(), doorbell_.get());
  EXPECT_TRUE(closed());
}

TEST_F(HostilePeer, OutboxThatIsTooSmallIsRefused) {
  const auto small = base::SharedMemory::create(kShmOutboxBytes - 1).value();
  greet(small->fd(), doorbell_.get());
  EXPECT_TRUE(closed());
}

TEST_F(HostilePeer, DoorbellThatCouldMakeUsWaitIsRefused) {
  std::array<int, 2> pipe;
  ASSERT_EQ(pipe2(pipe.data(), O_CLOEXEC), 0);
  greet(outbox_->fd(), pipe[1]);
  EXPECT_TRUE(closed());
  ::close(pipe[0]);
  ::close(pipe[1]);
}

TEST_F(HostilePeer, SilenceHoldsNobodyUp) {
  EXPECT_FALSE(friend_.send(link_, message_of("meanwhile")));
  EXPECT_TRUE(server_.wait_for(2));
}

TEST_F(HostilePeer, GarbageInTheRingEndsTheSession) {
  shake_hands();
  std::memset(outbox_->writable().data(), 0xFF, outbox_->writable().size());
  transport::ring(bell_);
  EXPECT_TRUE(closed());
}

TEST_F(HostilePeer, GarbageRecordEndsTheSession) {
  shake_hands();
  std::vector<std::byte> record(64, std::byte{0xEE});
  const std::uint32_t size = 64;
  std::memcpy(record.data(), &size, sizeof(size));
  ASSERT_EQ(ring_->put(record), ShmRing::Put::kDone);
  transport::ring(bell_);
  EXPECT_TRUE(closed());
}

TEST_F(HostilePeer, FramesOutsideOfTheirSegmentEndTheSession) {
  shake_hands();
  hand_over_segment(base::SharedMemory::create(8192).value()->fd());
  put_frame(1, 4096, 4096);  // It lies inside.
  ASSERT_TRUE(harness_->wait_until([&] { return server_.endpoint().counters().refused == 1; }));
  put_frame(1, 4096, 4097);
  EXPECT_TRUE(closed());
}

TEST_F(HostilePeer, OffsetsThatOverflowEndTheSession) {
  shake_hands();
  hand_over_segment(base::SharedMemory::create(8192).value()->fd());
  put_frame(1, ~std::uint64_t{0} - 4095, 8192);
  EXPECT_TRUE(closed());
}

TEST_F(HostilePeer, SegmentThatWasNotHandedOverEndsTheSession) {
  shake_hands();
  put_frame(77, 0, 8);
  EXPECT_TRUE(closed());
}

TEST_F(HostilePeer, SegmentThatCouldShrinkEndsTheSession) {
  shake_hands();
  const Fd unsealed(memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(ftruncate(unsealed.get(), 1 << 20), 0);
  hand_over_segment(unsealed.get());
  EXPECT_TRUE(closed());
}

TEST_F(HostilePeer, LeaseThatWasNotGivenEndsTheSession) {
  shake_hands();
  ShmRecord record;
  record.kind = ShmRecord::Kind::kReleased;
  record.numbers = {123};
  put(record);
  EXPECT_TRUE(closed());
}

/// A peer that is gone, with as many records unread as are read at a time.
TEST_F(HostilePeer, EndBehindAWholeBatchOfRecordsIsSeen) {
  for (const std::uint64_t records : {32U, 64U}) {
    socket_ = std::move(connect_abstract(listener_of(server_.endpoint())).value());
    outbox_ = base::SharedMemory::create(kShmOutboxBytes).value();
    shake_hands();
    std::promise<void> reached, gone;
    server_.endpoint().post([&] {
      reached.set_value();
      gone.get_future().wait();
    });
    reached.get_future().wait();
    ShmRecord record;
    const std::array<std::byte, 3> nonsense{};
    record.frames.push_back({.length = 3, .bytes = nonsense});
    for (std::uint64_t i = 0; i < records; ++i) put(record);
    ::shutdown(socket_.get(), SHUT_WR);
    gone.set_value();
    EXPECT_TRUE(closed()) << records;
  }
}

TEST_F(HostilePeer, MessageThatDoesNotDecodeCostsItsLink) {
  shake_hands();
  ShmRecord record;
  const std::array<std::byte, 3> nonsense{};
  record.frames.push_back({.length = 3, .bytes = nonsense});
  put(record);
  EXPECT_TRUE(harness_->wait_until([&] { return server_.endpoint().counters().refused == 1; }));
  put(record);
  EXPECT_TRUE(harness_->wait_until([&] { return server_.endpoint().counters().refused == 2; }));
  EXPECT_EQ(harness_->log().count("Refused a message"), 1);
}

}  // namespace
}  // namespace dtrain::transport
