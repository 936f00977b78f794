#include "bench/channel.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <memory>
#include <string>

#include "dtrain/error.h"

namespace dtrain::bench {
namespace {

class ChannelTest : public testing::Test {
 protected:
  ChannelTest() {
    int ends[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    a_ = std::make_unique<Channel>(ends[0], "b");
    b_ = std::make_unique<Channel>(ends[1], "a");
  }
  std::unique_ptr<Channel> a_;
  std::unique_ptr<Channel> b_;
};

template <typename Function>
ErrorCode code_of(const Function& function) {
  try {
    function();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "nothing was thrown";
  return ErrorCode::kInternal;
}

TEST_F(ChannelTest, MessagesArriveWholeAndInOrder) {
  const std::string largest(kChannelMessageBytesMax, 'x');
  a_->send("one");
  a_->send(largest);
  a_->send_value(42);
  EXPECT_EQ(b_->receive(), "one");
  EXPECT_EQ(b_->receive(), largest);
  EXPECT_EQ(b_->receive_value<int>(), 42);
  a_->send("one");
  EXPECT_EQ(code_of([this] { b_->receive_value<int>(); }), ErrorCode::kProtocol);
}

TEST_F(ChannelTest, RefusesWhatIsTooLong) {
  const std::string text(kChannelMessageBytesMax + 1, 'x');
  EXPECT_EQ(code_of([&] { a_->send(text); }), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code_of([&] { a_->send(""); }), ErrorCode::kInvalidArgument);
}

TEST_F(ChannelTest, TheEndOfThePeerIsUnavailable) {
  b_->send("last");
  b_.reset();
  EXPECT_EQ(a_->receive_or_end(), "last");
  EXPECT_EQ(a_->receive_or_end(), std::nullopt);
  EXPECT_EQ(code_of([this] { a_->receive(); }), ErrorCode::kUnavailable);
  EXPECT_EQ(code_of([this] { a_->send("?"); }), ErrorCode::kUnavailable);
}

TEST_F(ChannelTest, WaitingEndsAtTheDeadline) {
  EXPECT_EQ(code_of([this] { a_->receive(std::chrono::milliseconds(1)); }),
            ErrorCode::kDeadlineExceeded);
}

}  // namespace
}  // namespace dtrain::bench
