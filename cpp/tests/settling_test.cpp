// SPDX-License-Identifier: Apache-2.0
#include "settling.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace clara_fastio::settling {
namespace {

constexpr std::uint32_t kDead = 3;
constexpr std::uint32_t kAlive = 7;

/// Words that processes promise and devices reach.
class SettlingTest : public ::testing::Test {
 protected:
  void promise(std::uint32_t slot, bool is_fresh) {
    const std::uint64_t number = layout::promise::number(words.submitted.load()) + 1;
    if (is_fresh) words.fresh.store(number);
    words.promises[number % layout::kPendingWrites].store(layout::promise::of(number, slot));
    words.submitted.store(layout::promise::of(number, slot));
  }
  void reach(std::uint64_t number) { words.written.store(number); }
  bool is_poisoned(std::uint64_t number) const { return words.poisoned.load() >= number; }

  std::unique_ptr<layout::DeviceWords> owner = std::make_unique<layout::DeviceWords>();
  layout::DeviceWords& words = *owner;
};

TEST_F(SettlingTest, WhatWasDoneIsLeftAsItIs) {
  promise(kDead, true);
  reach(1);
  EXPECT_FALSE(is_waited_for(words, kDead));
  EXPECT_TRUE(settle(words, kDead));
  EXPECT_FALSE(is_poisoned(1));
  EXPECT_EQ(words.written.load(), 1u);
}

TEST_F(SettlingTest, AWriteThatWillNeverBeDoneIsPoisoned) {
  promise(kDead, true);
  EXPECT_TRUE(is_waited_for(words, kDead));
  EXPECT_TRUE(settle(words, kDead));
  EXPECT_TRUE(is_poisoned(1));
  EXPECT_EQ(words.written.load(), 1u);
  EXPECT_FALSE(is_waited_for(words, kDead));
}

TEST_F(SettlingTest, AWriteInTheMiddleOfAChainIsSettled) {
  promise(kDead, true);
  promise(kAlive, true);
  EXPECT_TRUE(settle(words, kDead));
  EXPECT_EQ(words.written.load(), 1u);
  EXPECT_TRUE(is_poisoned(1));
  EXPECT_FALSE(is_poisoned(2));
}

TEST_F(SettlingTest, AChangeInPlaceOfWhatIsTornIsTornToo) {
  promise(kDead, true);
  promise(kAlive, false);
  EXPECT_TRUE(settle(words, kDead));
  EXPECT_EQ(words.written.load(), 1u);
  EXPECT_TRUE(is_poisoned(2));
}

TEST_F(SettlingTest, WorkOfTheLivingComesFirst) {
  promise(kAlive, true);
  promise(kDead, true);
  EXPECT_FALSE(settle(words, kDead));
  EXPECT_EQ(words.written.load(), 0u);
  EXPECT_TRUE(is_poisoned(2));
  reach(1);
  EXPECT_TRUE(settle(words, kDead));
  EXPECT_EQ(words.written.load(), 2u);
}

TEST_F(SettlingTest, SeveralWritesOfTheDeadAreSettledInTheirOrder) {
  promise(kDead, true);
  promise(kAlive, true);
  promise(kDead, true);
  EXPECT_FALSE(settle(words, kDead));
  EXPECT_EQ(words.written.load(), 1u);
  reach(2);
  EXPECT_TRUE(settle(words, kDead));
  EXPECT_EQ(words.written.load(), 3u);
}

TEST_F(SettlingTest, PromisesOfOthersAreNotTouched) {
  promise(kAlive, true);
  EXPECT_TRUE(settle(words, kDead));
  EXPECT_EQ(words.written.load(), 0u);
  EXPECT_FALSE(is_poisoned(1));
  EXPECT_TRUE(is_waited_for(words, kAlive));
}

TEST_F(SettlingTest, ReadsOfTheDeadCountAsDone) {
  words.read_submitted[kDead].store(5);
  words.read_submitted[kAlive].store(4);
  EXPECT_TRUE(is_waited_for(words, kDead));
  EXPECT_TRUE(settle(words, kDead));
  EXPECT_EQ(words.read[kDead].load(), 5u);
  EXPECT_EQ(words.read[kAlive].load(), 0u);
}

TEST_F(SettlingTest, NumbersThatCannotBeEndTheLookAllTheSame) {
  words.submitted.store(~std::uint64_t{0});
  EXPECT_TRUE(settle(words, kDead));
  EXPECT_FALSE(is_waited_for(words, kDead));
}

}  // namespace
}  // namespace clara_fastio::settling
