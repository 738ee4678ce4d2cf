// SPDX-License-Identifier: MIT
// A right to send into a channel, which lives as long as somebody has it: an interpreter, a message
// on its way, a C++ program. With the last one of a channel the channel is closed, so that
// receivers are told that nobody will send any more. Who sends through the Channel itself is not
// counted.
#pragma once

#include <utility>

#include "channel/channel.hpp"

namespace interlock {

class Sender final : public Shared {
 public:
  explicit Sender(Ref<Channel> channel) noexcept : channel_(std::move(channel)) {
    channel_->add_sender();
  }
  [[nodiscard]] Kind kind() const noexcept override { return Kind::kSender; }
  [[nodiscard]] Channel &channel() const noexcept { return *channel_; }

 private:
  ~Sender() override { channel_->drop_sender(); }

  const Ref<Channel> channel_;
};

}  // namespace interlock
