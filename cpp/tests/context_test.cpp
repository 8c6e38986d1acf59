// SPDX-License-Identifier: Apache-2.0
#include "clara_fastio/context.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <thread>

#include "clara_fastio/entry.hpp"
#include "clara_fastio/error.hpp"
#include "clara_fastio/mapping.hpp"

namespace clara_fastio {
namespace {

std::string unique_name() {
  static int count = 0;
  return "test-" + std::to_string(getpid()) + "-" + std::to_string(++count);
}

std::shared_ptr<Context> make_context() {
  HostOptions options;
  options.name = unique_name();
  options.capacity = 1024;
  return Context::host(options);
}

std::shared_ptr<Entry> declare(Context& context, const std::string& name, Shape shape,
                               ElementType type = ElementType::uint8) {
  Declaration declaration;
  declaration.name = name;
  declaration.shape = shape;
  declaration.element_type = type;
  bool is_new = false;
  return context.declare(declaration, is_new);
}

Shape shape_of(std::initializer_list<std::int64_t> dimensions) {
  return Shape::of(std::span(dimensions.begin(), dimensions.size()));
}

Errc code_of(auto&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  return static_cast<Errc>(-1);
}

TEST(ContextTest, APublishedAllocationIsFoundByItsName) {
  auto context = make_context();
  auto block = context->create(100, true);
  {
    Mapping map(block, AccessMode::write);
    ASSERT_TRUE(map.try_map());
    std::memset(map.data(), 7, 100);
    map.commit();
  }
  block->publish("block");
  auto again = context->find("block");
  ASSERT_NE(again, nullptr);
  Mapping map(again, AccessMode::read);
  ASSERT_TRUE(map.try_map());
  EXPECT_EQ(map.nbytes(), 100u);
  EXPECT_EQ(static_cast<int>(map.data()[99]), 7);
}

TEST(ContextTest, AVariableTakesItsShapeWithEachWrite) {
  auto context = make_context();
  auto variable = declare(*context, "volume", shape_of({-1, 16}), ElementType::float32);
  EXPECT_EQ(code_of([&] { variable->allocate(); }), Errc::not_allocated);
  for (std::int64_t n : {1, 100, 5000, 0, 3}) {
    variable->update_shape(shape_of({n, 16}));
    Mapping map(variable, AccessMode::write);
    ASSERT_TRUE(map.try_map());
    EXPECT_EQ(map.nbytes(), static_cast<std::uint64_t>(n) * 64);
    std::memset(map.data(), 1, map.nbytes());
    map.commit();
    Mapping read(variable, AccessMode::read);
    ASSERT_TRUE(read.try_map());
    EXPECT_EQ(read.shape(), shape_of({n, 16}));
  }
  EXPECT_EQ(variable->version(), 5u);
}

TEST(ContextTest, AnAbortedWriteIsTornUntilACompleteOne) {
  auto context = make_context();
  auto variable = declare(*context, "v", shape_of({4}));
  variable->allocate();
  {
    Mapping map(variable, AccessMode::write);
    ASSERT_TRUE(map.try_map());
  }
  EXPECT_EQ(code_of([&] { Mapping(variable, AccessMode::read).try_map(); }), Errc::lock_abandoned);
  EXPECT_EQ(code_of([&] { Mapping(variable, AccessMode::update).try_map(); }),
            Errc::lock_abandoned);
  {
    Mapping map(variable, AccessMode::write);
    ASSERT_TRUE(map.try_map());
    map.commit();
  }
  Mapping map(variable, AccessMode::read);
  EXPECT_TRUE(map.try_map());
}

TEST(ContextTest, AFreedAllocationIsRecycledOnlyWhenNobodyHoldsIt) {
  auto context = make_context();
  auto first = context->create(1 << 20, false);
  first->publish("a");
  const std::uint32_t index = first->index();
  first->free();
  auto second = context->create(1 << 20, false);
  EXPECT_NE(second->index(), index);
  first.reset();
  auto third = context->create(1 << 20, false);
  EXPECT_EQ(third->index(), index);
  third->publish("a");
  EXPECT_EQ(context->find("a"), third);
}

TEST(ContextTest, AWriterWaitsForReadersOfAnotherThread) {
  auto context = make_context();
  auto variable = declare(*context, "v", shape_of({4}));
  {
    Mapping map(variable, AccessMode::write);
    ASSERT_TRUE(map.try_map());
    map.commit();
  }
  auto reader = std::make_unique<Mapping>(variable, AccessMode::read);
  ASSERT_TRUE(reader->try_map());
  EXPECT_EQ(code_of([&] { Mapping(variable, AccessMode::write).try_map(); }), Errc::lock_conflict);
  std::thread writer([&] {
    Mapping map(variable, AccessMode::write);
    bool done = map.try_map();
    while (!done) done = map.wait(std::chrono::seconds(1));
    map.commit();
  });
  usleep(20000);
  reader.reset();
  writer.join();
  EXPECT_EQ(variable->version(), 2u);
}

TEST(ContextTest, ASecondHostOfANameIsRefused) {
  auto context = make_context();
  HostOptions options;
  options.name = context->name();
  EXPECT_EQ(code_of([&] { Context::host(options); }), Errc::already_exists);
}

TEST(ContextTest, ASealedVariableIsFrozenByItsFirstCommit) {
  auto context = make_context();
  Declaration declaration;
  declaration.name = "sealed";
  declaration.shape = shape_of({4});
  declaration.is_sealed = true;
  bool is_new = false;
  auto variable = context->declare(declaration, is_new);
  {
    Mapping map(variable, AccessMode::write);
    ASSERT_TRUE(map.try_map());
    map.commit();
  }
  EXPECT_EQ(code_of([&] { Mapping(variable, AccessMode::write).try_map(); }), Errc::read_only);
  Mapping map(variable, AccessMode::read);
  EXPECT_TRUE(map.try_map());
}

TEST(ContextTest, TheMemoryLimitOfAContextIsNamed) {
  HostOptions options;
  options.name = unique_name();
  options.memory_limit = 1 << 20;
  auto context = Context::host(options);
  EXPECT_EQ(code_of([&] { context->create(2 << 20, false); }), Errc::out_of_memory);
}

TEST(ContextTest, AfterCloseEverythingSaysSo) {
  auto context = make_context();
  auto block = context->create(10, false);
  context->close();
  EXPECT_EQ(code_of([&] { context->find("x"); }), Errc::closed);
  EXPECT_EQ(code_of([&] { Mapping(block, AccessMode::write).try_map(); }), Errc::closed);
}

}  // namespace
}  // namespace clara_fastio
