// SPDX-License-Identifier: Apache-2.0
// What the dead leave. The processes that die are this program again, started by exec with an
// argument that says what to do.
#include <dirent.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "context_testing.hpp"

extern char** environ;

namespace clara_fastio {
namespace {

using namespace testing;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::uint64_t kWords = 64;
/// The promise is one second after the kernel reports the death; the rest is for a busy machine.
constexpr milliseconds kRepairTime{3000};

// --- What the children do; none of these returns.

[[noreturn]] void stay() {
  for (;;) ::pause();
}

/// A new content of words that are all alike; fails loudly when the old one was not.
void use_shared(const std::shared_ptr<Entry>& entry, std::mt19937& random) {
  const AccessMode modes[] = {AccessMode::read, AccessMode::write, AccessMode::update};
  Mapping map(entry, modes[random() % 3]);
  if (!map_within(map)) ::_exit(6);
  auto* words = reinterpret_cast<volatile std::uint64_t*>(map.data());
  const std::uint64_t first = words[0];
  for (std::uint64_t at = 0; at < kWords; ++at) {
    if (map.mode() != AccessMode::write && words[at] != first) ::_exit(7);
    if (map.is_writable()) words[at] = first + 1;
  }
  map.commit();
}

[[noreturn]] void churn_locks(Context& context) {
  std::mt19937 random(static_cast<unsigned>(::getpid()));
  auto entry = context.find("shared");
  for (;;) {
    try {
      use_shared(entry, random);
    } catch (const Error& error) {
      if (error.code() != Errc::lock_abandoned) ::_exit(8);
      Mapping map(entry, AccessMode::write);
      if (!map_within(map)) ::_exit(6);
      std::memset(map.data(), 0, map.nbytes());
      map.commit();
    }
  }
}

void use_memory(Context& context, std::mt19937& random, std::vector<std::shared_ptr<Entry>>& held) {
  const std::string name = "m" + std::to_string(random() % 8);
  const auto nbytes =
      static_cast<std::int64_t>(1 + random() % (random() % 2 == 0 ? 1000 : 200'000));
  switch (random() % 5) {
    case 0: {
      auto variable = declare(context, name, shape_of({-1}));
      variable->update_shape(shape_of({nbytes}));
      fill(variable, 1);
      held.push_back(variable);
      return;
    }
    case 1: {
      auto block = context.create(static_cast<std::uint64_t>(nbytes), false);
      held.push_back(block);
      block->publish("b" + name);
      return;
    }
    case 2:
    case 3: {
      auto entry = context.find(random() % 2 == 0 ? name : "b" + name);
      if (!entry) return;
      Mapping map(entry, AccessMode::read);
      if (map.try_map()) held.push_back(entry);
      if (random() % 3 == 0) entry->free();
      return;
    }
    default:
      held.clear();
  }
}

[[noreturn]] void churn_memory(Context& context) {
  std::mt19937 random(static_cast<unsigned>(::getpid()));
  std::vector<std::shared_ptr<Entry>> held;
  for (;;) {
    try {
      use_memory(context, random, held);
    } catch (const Error& error) {
      const bool is_ours = error.code() == Errc::layout || error.code() == Errc::seal ||
                           error.code() == Errc::system || error.code() == Errc::out_of_memory;
      if (is_ours) std::fprintf(stderr, "%s\n", error.what());
      if (is_ours) ::_exit(8);
    }
  }
}

[[noreturn]] void child(const std::string& what, const std::string& name) {
  if (what == "host") {
    HostOptions it;
    it.name = name;
    auto context = Context::host(it);
    fill(declare(*context, "v", shape_of({100})), 1);
    stay();
  }
  auto context = Context::open(name);
  if (what == "churn-locks") churn_locks(*context);
  if (what == "churn-memory") churn_memory(*context);
  if (what == "leave") {
    fill(declare(*context, "v", shape_of({100})), 1);
    context->close();
    stay();
  }
  const bool reads = what == "read";
  auto entry = what == "produce" || what == "hang-up" ? declare(*context, "v", shape_of({100}))
                                                      : context->find("shared");
  if (what == "produce") fill(entry, 1);
  Mapping map(entry, reads ? AccessMode::read : AccessMode::write);
  (void)map_within(map, std::chrono::hours(1));  // "claim" stays here.
  if (what == "hang-up") ::close_range(3, ~0u, 0);
  stay();
}

// --- The tests.

class Child {
 public:
  Child(const std::string& what, const std::string& name) {
    const std::string arguments[] = {"/proc/self/exe", "--child", what, name};
    std::vector<char*> all;
    for (const std::string& one : arguments) all.push_back(const_cast<char*>(one.c_str()));
    all.push_back(nullptr);
    EXPECT_EQ(::posix_spawn(&pid_, all[0], nullptr, nullptr, all.data(), environ), 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { end(); }

  /// Kills it, if it lives. Nothing else may have ended it.
  void end() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        << "it ended by itself, with " << WEXITSTATUS(status);
    pid_ = 0;
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
};

EntryInfo info_of(Context& context, const std::string& name) {
  for (EntryInfo& info : context.entries()) {
    if (info.name == name && info.state == layout::EntryState::live) return info;
  }
  return {};
}

/// Descriptors of segments that this process, which hosts them, has.
std::size_t segment_descriptors() {
  std::size_t count = 0;
  DIR* const directory = ::opendir("/proc/self/fd");
  while (const dirent* one = ::readdir(directory)) {
    char target[256] = {};
    const std::string path = std::string("/proc/self/fd/") + one->d_name;
    if (::readlink(path.c_str(), target, sizeof(target) - 1) < 0) continue;
    count += std::string(target).starts_with("/memfd:clara-fastio") ? 1 : 0;
  }
  ::closedir(directory);
  return count;
}

std::shared_ptr<Entry> share(Context& host) {
  auto block = host.create(8 * kWords, true);
  block->publish("shared");
  return block;
}

/// Runs `wait` in a thread that must end soon after the child was killed.
void expect_wakes(Child& child, auto&& wait) {
  std::thread waiter(wait);
  ::usleep(20'000);
  const auto start = steady_clock::now();
  child.end();
  waiter.join();
  EXPECT_LT(steady_clock::now() - start, kRepairTime);
}

TEST(RepairTest, AWriterThatDiesLeavesATornContentAndWakesWhoWaits) {
  auto host = Context::host(options());
  Child child("produce", host->name());
  ASSERT_TRUE(becomes([&] {
    const EntryInfo info = info_of(*host, "v");
    return info.version == 1 && info.writer >= 0;
  }));
  auto variable = host->find("v");
  expect_wakes(child, [&] {
    EXPECT_EQ(code_of([&] {
                Mapping map(variable, AccessMode::read);
                (void)map_within(map);
              }),
              Errc::lock_abandoned);
  });
  EXPECT_EQ(code_of([&] { Mapping(variable, AccessMode::update).try_map(); }), Errc::read_only);
  EXPECT_EQ(code_of([&] { (void)variable->wait_for_version(2, kLong); }), Errc::peer_died);
  fill(variable, 9);  // The host is the producer now.
  EXPECT_TRUE(holds(variable, 9));
  EXPECT_GE(variable->version(), 2u);
}

TEST(RepairTest, AReaderThatDiesWakesTheWriter) {
  auto host = Context::host(options());
  auto block = share(*host);
  Child child("read", host->name());
  ASSERT_TRUE(becomes([&] { return info_of(*host, "shared").readers.size() == 1; }));
  expect_wakes(child, [&] { fill(block, 1); });
}

TEST(RepairTest, AClaimThatDiesLetsTheReadersIn) {
  auto host = Context::host(options());
  auto block = share(*host);
  auto other = stranger(*host);
  Mapping held(block, AccessMode::read);
  ASSERT_TRUE(held.try_map());
  Child child("claim", host->name());
  ASSERT_TRUE(becomes([&] { return info_of(*host, "shared").writer >= 0; }));
  auto entry = other->find("shared");
  EXPECT_FALSE(Mapping(entry, AccessMode::read).try_map());
  expect_wakes(child, [&] { EXPECT_TRUE(holds(entry, 0)); });
}

TEST(RepairTest, WhoWaitsForADeadProducerIsTold) {
  auto host = Context::host(options());
  Child child("produce", host->name());
  ASSERT_TRUE(becomes([&] { return info_of(*host, "v").version == 1; }));
  auto variable = host->find("v");
  expect_wakes(child, [&] {
    EXPECT_EQ(code_of([&] {
                while (!variable->wait_for_version(5, kLong)) continue;
              }),
              Errc::peer_died);
  });
}

TEST(RepairTest, AHangUpKeepsTheLockUntilTheProcessIsDead) {
  auto host = Context::host(options());
  Child child("hang-up", host->name());
  ASSERT_TRUE(becomes([&] {
    const auto all = host->processes();
    return all.size() == 2 && all[1].is_quarantined;
  }));
  auto variable = host->find("v");
  EXPECT_FALSE(Mapping(variable, AccessMode::read).try_map());
  expect_wakes(child, [&] {
    const Errc code = code_of([&] {
      Mapping map(variable, AccessMode::read);
      (void)map_within(map);
    });
    EXPECT_TRUE(code == Errc::peer_died || code == Errc::lock_abandoned);
  });
  EXPECT_TRUE(becomes([&] { return host->processes().size() == 1; }));
}

TEST(RepairTest, WhoLeavesGivesTheSlotBackWhileAlive) {
  auto host = Context::host(options());
  Child child("leave", host->name());
  ASSERT_TRUE(
      becomes([&] { return info_of(*host, "v").version == 1 && host->processes().size() == 1; }));
  EXPECT_TRUE(holds(host->find("v"), 1));
  EXPECT_EQ(::kill(child.pid(), 0), 0);
}

TEST(RepairTest, TheDeathOfTheHostEndsEveryWait) {
  const std::string name = unique_name();
  Child child("host", name);
  std::shared_ptr<Context> context;
  ASSERT_TRUE(becomes([&] {
    return code_of([&] { context = Context::open(name); }) == static_cast<Errc>(-1) &&
           context->find("v") && context->find("v")->version() == 1;
  }));
  auto variable = context->find("v");
  Mapping map(variable, AccessMode::read);
  ASSERT_TRUE(map.try_map());
  const auto until_it_throws = [](auto&& step) {
    for (;;) step();
  };
  std::vector<std::thread> waiters;
  const auto expect_end = [&](auto step) {
    waiters.emplace_back(
        [&, step] { EXPECT_EQ(code_of([&] { until_it_throws(step); }), Errc::host_died); });
  };
  expect_end([&] { (void)variable->wait_for_version(9, milliseconds(100)); });
  expect_end([&] {
    context->check(), context->wait_for_names(context->names_event(), milliseconds(100));
  });
  expect_end([&] { (void)context->create(100'000, false); });
  ::usleep(20'000);
  const auto start = steady_clock::now();
  child.end();
  for (std::thread& waiter : waiters) waiter.join();
  EXPECT_LT(steady_clock::now() - start, kRepairTime);
  EXPECT_EQ(static_cast<int>(map.data()[99]), 1);  // Maps that exist stay valid.
  EXPECT_EQ(code_of([&] { (void)context->find("v"); }), Errc::host_died);
  EXPECT_EQ(code_of([&] { (void)Context::open(name); }), Errc::not_found);
}

TEST(RepairTest, ManyAreKilledAtRandomAndNothingIsLeft) {
  constexpr int kRounds = 15;
  auto host = Context::host(options());
  auto block = share(*host);
  const std::size_t before = segment_descriptors();
  std::mt19937 random(5);
  for (int round = 0; round < kRounds; ++round) {
    std::vector<std::unique_ptr<Child>> children;
    for (const char* what : {"churn-locks", "churn-locks", "churn-memory", "churn-memory"}) {
      children.push_back(std::make_unique<Child>(what, host->name()));
    }
    ASSERT_TRUE(becomes([&] { return host->processes().size() == 5; }));
    for (auto& child : children) {
      ::usleep(random() % 10'000);
      child->end();
    }
    ASSERT_TRUE(becomes([&] { return host->processes().size() == 1; })) << round;
    for (const EntryInfo& info : host->entries()) {
      EXPECT_EQ(info.writer, -1) << info.name;
      EXPECT_TRUE(info.readers.empty()) << info.name;
      EXPECT_EQ(info.references.size(), info.name == "shared" ? 1u : 0u) << info.name;
      EXPECT_EQ(info.state, layout::EntryState::live) << info.name;
    }
    fill(block, round % 100);
    EXPECT_TRUE(holds(block, round % 100));
    for (const EntryInfo& info : host->entries()) {
      if (info.name != "shared") host->find(info.name)->free();
    }
    ASSERT_TRUE(becomes([&] { return host->entries().size() == 1; })) << round;
    ASSERT_TRUE(becomes([&] { return segment_descriptors() == before; })) << round;
  }
}

}  // namespace

int main_of_child(int count, char** arguments) {
  if (count == 4 && std::string(arguments[1]) == "--child") child(arguments[2], arguments[3]);
  return 0;
}

}  // namespace clara_fastio

int main(int count, char** arguments) {
  clara_fastio::main_of_child(count, arguments);
  ::testing::InitGoogleTest(&count, arguments);
  return RUN_ALL_TESTS();
}
