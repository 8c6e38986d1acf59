// SPDX-License-Identifier: Apache-2.0
// A forked child has the objects of its parent, but neither its tables, nor its lock lines, nor its
// hand-made memory: every call must say so, and every destructor must leave them alone.
#include <optional>
#include <vector>

#include "context_testing.hpp"
#include "posix_testing.hpp"

namespace clara_fastio {
namespace {

using namespace testing;
using posix::testing::run_in_fork;

/// What the parent has open at the moment of the fork.
struct Family {
  std::shared_ptr<Context> context = Context::host(options());
  std::shared_ptr<Entry> variable = declare(*context, "v", shape_of({100}));
  std::shared_ptr<Entry> dynamic = declare(*context, "d", shape_of({-1}));
  std::shared_ptr<Entry> block = context->create(100, true);
  std::shared_ptr<Entry> hidden = context->create(100, true);
  std::optional<Mapping> reading;
  std::optional<Mapping> writing;

  Family() {
    fill(variable, 1);
    dynamic->update_shape(shape_of({10}));
    block->publish("b");
    reading.emplace(variable, AccessMode::read);
    EXPECT_TRUE(reading->try_map());
    writing.emplace(dynamic, AccessMode::write);
    EXPECT_TRUE(writing->try_map());
  }
};

TEST(ForkedChildTest, EveryCallSaysThatItIsForked) {
  Family family;
  const int status = run_in_fork([&] {
    int failures = 0;
    const auto expect_forked = [&](const char* what, auto&& action) {
      if (code_of(action) == Errc::forked) return;
      std::fprintf(stderr, "%s does not say that it is forked\n", what);
      ++failures;
    };
    Context& context = *family.context;
    expect_forked("find", [&] { (void)context.find("v"); });
    expect_forked("declare", [&] { (void)declare(context, "x", shape_of({1})); });
    expect_forked("create", [&] { (void)context.create(1, false); });
    expect_forked("size", [&] { (void)context.size(); });
    expect_forked("entries", [&] { (void)context.entries(); });
    expect_forked("processes", [&] { (void)context.processes(); });
    expect_forked("role", [&] { (void)context.role(); });
    expect_forked("connect", [&] { (void)context.connect("x"); });
    expect_forked("names_event", [&] { (void)context.names_event(); });
    for (const auto& entry : {family.variable, family.dynamic}) {
      expect_forked("name", [&] { (void)entry->name(); });
      expect_forked("shape", [&] { (void)entry->shape(); });
      expect_forked("version", [&] { (void)entry->version(); });
      expect_forked("may_write", [&] { (void)entry->may_write(); });
      expect_forked("is_allocated", [&] { (void)entry->is_allocated(); });
      expect_forked("is_producer", [&] { (void)entry->is_producer(); });
      expect_forked("update_shape", [&] { entry->update_shape(shape_of({1})); });
      expect_forked("allocate", [&] { entry->allocate(); });
      expect_forked("content", [&] { (void)entry->content(); });
      expect_forked("set_attributes", [&] { entry->set_attributes("{}"); });
      expect_forked("wait", [&] { (void)entry->wait_for_version(9, kLong); });
      expect_forked("free", [&] { entry->free(); });
      expect_forked("map", [&] { (void)Mapping(entry, AccessMode::read).try_map(); });
    }
    expect_forked("capacity", [&] { (void)family.block->capacity(); });
    expect_forked("describe", [&] { family.block->describe(ElementType::uint8, shape_of({1})); });
    expect_forked("publish", [&] { family.hidden->publish("h"); });
    expect_forked("commit", [&] { family.writing->commit(); });
    context.close();
    return failures;
  });
  EXPECT_EQ(status, 0);
  // The parent goes on as if nothing had been.
  EXPECT_EQ(static_cast<int>(family.reading->data()[99]), 1);
  family.writing->commit();
  EXPECT_EQ(family.dynamic->version(), 1u);
}

TEST(ForkedChildTest, DestructorsAndAbortLeaveTheParentAlone) {
  auto family = std::make_unique<Family>();
  const int status = run_in_fork([&] {
    family->writing->abort();
    family->reading->abort();
    family.reset();
    return 0;
  });
  EXPECT_EQ(status, 0);
  EXPECT_EQ(code_of([&] { Mapping(family->dynamic, AccessMode::write).try_map(); }),
            Errc::lock_conflict);
  family->writing->commit();
  EXPECT_TRUE(holds(family->variable, 1));
  auto other = stranger(*family->context);
  EXPECT_TRUE(holds(other->find("v"), 1));
}

TEST(ForkedChildTest, AChildReadsAndFillsTheVariablesThatTheParentHasMapped) {
  Family family;
  const int status = run_in_fork([&] {
    if (static_cast<int>(family.reading->data()[99]) != 1) return 1;
    std::memset(family.writing->data(), 7, family.writing->nbytes());
    return 0;
  });
  EXPECT_EQ(status, 0);
  family.writing->commit();
  EXPECT_TRUE(holds(family.dynamic, 7));
}

#ifndef __SANITIZE_THREAD__  // It knows no threads that begin in a forked child.
TEST(ForkedChildTest, AChildOpensTheContextAnewAndMayHostItsOwn) {
  Family family;
  const std::string name = family.context->name();
  const int status = run_in_fork([&] {
    auto context = Context::open(name);
    if (context == family.context || !holds(context->find("v"), 1)) return 1;
    auto own = Context::host(options());
    fill(declare(*own, "x", shape_of({10})), 1);
    return 0;
  });
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(becomes([&] { return family.context->processes().size() == 1; }));
}
#endif

TEST(ForkedChildTest, TheNameIsFreeWhenTheParentEndsBeforeTheChild) {
  const std::string name = unique_name();
  HostOptions it;
  it.name = name;
  auto context = Context::host(it);
  int ends[2] = {};
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    ::close(ends[1]);
    ::_exit(::read(ends[0], &byte, 1) == 0 ? 0 : 1);
  }
  context.reset();
  // The child gives its copies back with its first instructions, not before them.
  EXPECT_TRUE(becomes(
      [&] { return code_of([&] { context = Context::host(it); }) == static_cast<Errc>(-1); }));
  ::close(ends[1]);
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace clara_fastio
