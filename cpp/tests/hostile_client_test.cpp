// SPDX-License-Identifier: Apache-2.0
// A member of the context that lies, says nothing sensible, or writes where it should not: the host
// and the others must neither crash nor serve wrong data.
#include <sys/socket.h>
#include <sys/wait.h>

#include <array>
#include <atomic>
#include <optional>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "client/state.hpp"
#include "context_testing.hpp"
#include "posix/map.hpp"
#include "posix/memfd.hpp"
#include "posix/pidfd.hpp"
#include "posix/socket.hpp"
#include "posix_testing.hpp"

namespace clara_fastio {
namespace {

using namespace testing;
using protocol::Message;
using protocol::Operation;
using std::chrono::milliseconds;

/// A connection that speaks the protocol by hand, or does not.
class RawClient {
 public:
  explicit RawClient(Context& host) : socket_(host.connect("evil")) {
    posix::enable_credentials(socket_.get());
  }

  posix::IoResult send(std::span<const std::byte> bytes, std::span<const int> fds = {}) {
    return posix::send_message(socket_.get(), bytes, fds);
  }
  posix::IoResult send(const Message& message, std::span<const int> fds = {}) {
    return send(std::as_bytes(std::span(&message, 1)), fds);
  }

  /// The next packet; nothing when the host hung up.
  std::optional<Message> receive() {
    Message message;
    if (!posix::wait_readable(socket_.get(), -1, milliseconds(5000))) {
      ADD_FAILURE() << "the host says nothing";
      return std::nullopt;
    }
    posix::Received got =
        posix::receive_message(socket_.get(), std::as_writable_bytes(std::span(&message, 1)));
    if (got.result != posix::IoResult::ok) return std::nullopt;
    EXPECT_EQ(got.nbytes, sizeof(message));
    fds = std::move(got.fds);
    return message;
  }

  std::optional<Message> ask(const Message& message, std::span<const int> descriptors = {}) {
    if (send(message, descriptors) != posix::IoResult::ok) return std::nullopt;
    return receive();
  }

  std::optional<Message> greet() {
    const posix::UniqueFd self = posix::open_pidfd(getpid());
    Message hello;
    hello.operation = Operation::hello;
    const int fd = self.get();
    return ask(hello, std::span(&fd, 1));
  }

  std::vector<posix::UniqueFd> fds;

 private:
  posix::UniqueFd socket_;
};

/// The host serves as before.
void expect_service(Context& host) {
  auto honest = stranger(host);
  static int count = 0;
  auto variable = declare(*honest, "service" + std::to_string(++count), shape_of({1000}));
  fill(variable, 5);
  EXPECT_TRUE(holds(host.find(variable->name()), 5));
}

Message request_of(Operation operation) {
  Message message;
  message.operation = operation;
  return message;
}

TEST(HostileClientTest, RandomPacketsEndTheirOwnConnectionAtMost) {
  auto host = Context::host(options());
  std::mt19937_64 random(1);
  for (int round = 0; round < 300; ++round) {
    RawClient client(*host);
    std::array<std::uint64_t, 250> words{};
    for (std::uint64_t& word : words) word = random();
    std::size_t nbytes = 1 + random() % sizeof(words);
    if (round % 3 == 0) {
      nbytes = sizeof(Message);
      reinterpret_cast<Message*>(words.data())->magic = protocol::kMagic;
    }
    (void)client.send(std::as_bytes(std::span(words)).first(nbytes));
    const auto answer = client.receive();
    EXPECT_TRUE(!answer || answer->status != protocol::kOk);
  }
  expect_service(*host);
}

TEST(HostileClientTest, AnotherMajorVersionIsToldBothVersions) {
  auto host = Context::host(options());
  RawClient client(*host);
  Message message = request_of(Operation::hello);
  message.major = 7;
  message.minor = 3;
  const auto answer = client.ask(message);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, static_cast<int>(Errc::version_mismatch));
  EXPECT_NE(answer->text_view().find(std::to_string(protocol::kMajor) + "."),
            std::string_view::npos);
  EXPECT_NE(answer->text_view().find("7.3"), std::string_view::npos);
  ASSERT_TRUE(client.greet());
}

TEST(HostileClientTest, AGreetingNeedsThePidfdOfItsSender) {
  auto host = Context::host(options());
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  const posix::UniqueFd other = posix::open_pidfd(child);
  const posix::UniqueFd self = posix::open_pidfd(getpid());
  const posix::UniqueFd file = posix::create_memfd("no pidfd");
  const std::vector<std::vector<int>> refused = {
      {}, {other.get()}, {file.get()}, {self.get(), self.get()}};
  for (const auto& descriptors : refused) {
    RawClient client(*host);
    const auto answer = client.ask(request_of(Operation::hello), descriptors);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, static_cast<int>(Errc::invalid_argument));
  }
  EXPECT_EQ(host->processes().size(), 1u);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  expect_service(*host);
}

TEST(HostileClientTest, OneThatAsksWithoutReadingIsHungUpAndCostsNoDescriptors) {
  auto host = Context::host(options());
  auto block = host->create(100'000, false);
  block->publish("b");
  const std::uint64_t segment = host->entries().at(0).segment;
  RawClient client(*host);
  ASSERT_TRUE(client.greet());
  const std::size_t before = posix::testing::open_descriptors();
  Message message = request_of(Operation::open_segment);
  message.location.segment = segment;
  EXPECT_TRUE(becomes([&] { return client.send(message) == posix::IoResult::closed; }));
  EXPECT_LE(posix::testing::open_descriptors(), before);
  expect_service(*host);
}

TEST(HostileClientTest, GarbageInRequestsHarmsNobody) {
  auto host = Context::host(options());
  auto honest = stranger(*host);
  auto variable = declare(*honest, "honest", shape_of({1000}));
  fill(variable, 5);
  std::mt19937_64 random(2);
  auto client = std::make_unique<RawClient>(*host);
  ASSERT_TRUE(client->greet());
  const auto some = [&](std::initializer_list<std::uint64_t> values) {
    const std::uint64_t pick = random() % (values.size() + 1);
    return pick == values.size() ? random() : values.begin()[pick];
  };
  for (int round = 0; round < 10'000; ++round) {
    // Mostly those from `create` to `freeze`: each of the others costs the connection its life.
    const std::uint64_t operation = random() % 128 == 0 ? random() % 32 : 4 + random() % 10;
    Message message = request_of(static_cast<Operation>(operation));
    message.index = static_cast<std::uint32_t>(some({0, 1, 2, 3, 1023, 1024, 0xffffffff}));
    // Never the generation of the honest entry, whom everybody may free.
    message.generation = some({0, 2, 3, 4, 5, 6, 7, 8, ~0ull});
    if (message.generation == variable->generation()) continue;
    message.nbytes = some({0, 1, 100, 65536, 1 << 20, 1ull << 47, ~0ull});
    message.location.segment = some({0, 1, 2, 3, 4});
    message.attributes_capacity = static_cast<std::uint32_t>(some({0, 100, 4096, 0xffffffff}));
    message.element_type = static_cast<ElementType>(some({1, 9, 0, 16}));
    message.order = static_cast<layout::Order>(some({0, 1}));
    message.flags = static_cast<std::uint32_t>(random());
    message.ndim = static_cast<std::uint32_t>(some({0, 1, 2, 32, 33}));
    for (std::int64_t& size : message.dimensions)
      size = static_cast<std::int64_t>(some({1, 8, ~0ull}));
    message.set_text(random() % 2 != 0 ? "name" + std::to_string(random() % 8) : "\xff\xfe");
    if (random() % 8 == 0) message.text_nbytes = static_cast<std::uint32_t>(random());
    if (client->ask(message)) continue;
    client = std::make_unique<RawClient>(*host);
    // Those that were hung up keep their slots until this process ends.
    const auto greeting = client->greet();
    ASSERT_TRUE(greeting);
    if (greeting->status != protocol::kOk) break;
  }
  EXPECT_TRUE(holds(variable, 5));
  for (const EntryInfo& info : host->entries()) EXPECT_LE(info.shape.ndim, kMaxDimensions);
}

TEST(HostileClientTest, AnOfferIsNoWayToAnotherRolesOutput) {
  auto host = Context::host(options());
  auto bound = declare(*host, "bound", shape_of({100}), ElementType::uint8, "good");
  auto free = declare(*host, "free", shape_of({100}));
  RawClient client(*host);
  ASSERT_TRUE(client.greet());
  Message produce = request_of(Operation::produce);
  produce.index = bound->index();
  produce.generation = bound->generation();
  produce.nbytes = 100;
  EXPECT_EQ(client.ask(produce)->status, static_cast<int>(Errc::read_only));
  produce.index = free->index();
  produce.generation = free->generation();
  ASSERT_EQ(client.ask(produce)->status, protocol::kOk);
  // The offer is for another entry, and for another use of that entry.
  Message produced = request_of(Operation::produced);
  produced.index = bound->index();
  produced.generation = bound->generation();
  EXPECT_NE(client.ask(produced)->status, protocol::kOk);
  const std::uint32_t index = free->index();
  free->free();
  free.reset();
  ASSERT_TRUE(becomes([&] { return host->entries().size() == 1; }));
  bound = declare(*host, "next", shape_of({100}), ElementType::uint8, "good");
  ASSERT_EQ(bound->index(), index);
  produced.index = index;
  produced.generation = bound->generation();
  EXPECT_NE(client.ask(produced)->status, protocol::kOk);
  EXPECT_FALSE(bound->is_allocated());
}

TEST(HostileClientTest, OffersThatAreNeverTakenAreGivenBack) {
  HostOptions limited = options();
  limited.memory_limit = 16 << 20;
  auto host = Context::host(limited);
  auto variable = declare(*host, "v", shape_of({1 << 20}));
  RawClient client(*host);
  ASSERT_TRUE(client.greet());
  Message produce = request_of(Operation::produce);
  produce.index = variable->index();
  produce.generation = variable->generation();
  produce.nbytes = 1 << 20;
  for (int i = 0; i < 100; ++i) ASSERT_EQ(client.ask(produce)->status, protocol::kOk) << i;
}

TEST(HostileClientTest, GarbageInLockLinesCrashesNobody) {
  auto host = Context::host(options());
  RawClient client(*host);
  ASSERT_TRUE(client.greet());
  ASSERT_EQ(client.fds.size(), 4u);
  const int fd = client.fds[1].get();
  const posix::Map locks = posix::Map::of(fd, 0, posix::size_of(fd), posix::Access::read_write);
  std::atomic<bool> done = false;
  std::thread vandal([&] {
    std::mt19937_64 random(3);
    while (!done) {
      auto* words = reinterpret_cast<std::atomic<std::uint64_t>*>(locks.data());
      const std::uint64_t at = random() % (8 * sizeof(layout::LockLine) / 8);
      words[at].store(random() % 2 == 0 ? 0 : random());
    }
  });
  std::vector<std::thread> honest;
  for (int i = 0; i < 2; ++i) {
    honest.emplace_back([&, i, context = stranger(*host)] {
      for (int round = 0; round < 100; ++round) {
        const std::string name = "v" + std::to_string(i);
        (void)code_of([&] {
          auto variable = declare(*context, name, shape_of({100}));
          Mapping map(variable, AccessMode::write);
          if (map_within(map, milliseconds(2))) map.commit();
          Mapping read(variable, AccessMode::read);
          (void)map_within(read, milliseconds(2));
          (void)variable->wait_for_version(1, milliseconds(1));
          auto block = context->create(100, true);
          block->publish("b" + name);
          block->free();
          if (round % 4 == 0) variable->free();
          (void)context->entries();
        });
      }
    });
  }
  for (std::thread& thread : honest) thread.join();
  done = true;
  vandal.join();
  auto fresh = Context::host(options());  // The first one's words are beyond trust now.
  expect_service(*fresh);
}

TEST(HostileClientTest, GarbageInHeadsIsALayoutErrorAtMost) {
  constexpr std::uint64_t kElements = 1000;
  auto host = Context::host(options());
  auto evil = stranger(*host);
  auto variable = declare(*evil, "v", shape_of({-1, 10}), ElementType::uint16);
  variable->update_shape(shape_of({kElements / 10, 10}));
  variable->set_attributes("{}");
  fill(variable, 1);
  auto block = evil->create(2 * kElements, true);
  block->publish("b");
  std::vector<layout::Head*> heads;
  for (const auto& entry : {variable, block}) {
    Mapping map(entry, AccessMode::write);
    ASSERT_TRUE(map.try_map());
    heads.push_back(map.window().block->head);
    map.commit();
  }
  std::atomic<bool> done = false;
  std::thread vandal([&] {
    std::mt19937_64 random(4);
    const std::uint64_t likely[] = {0, 1, 2, 3, 4, 10, 100, 1000, 1ull << 40, ~0ull, 1ull << 63};
    while (!done) {
      auto* words = reinterpret_cast<std::atomic<std::uint64_t>*>(heads[random() % 2]);
      const std::uint64_t value = random() % 4 == 0 ? random() : likely[random() % 11];
      words[random() % (sizeof(layout::Head) / 8 - 8)].store(value);
    }
  });
  std::atomic<int> mapped = 0;
  const auto read_all = [&](Context& context) {
    for (int round = 0; round < 3000; ++round) {
      const auto mode = round % 2 == 0 ? AccessMode::read : AccessMode::dirty;
      (void)code_of([&] {
        auto entry = context.find(round % 3 == 0 ? "b" : "v");
        (void)entry->shape();
        (void)entry->version();
        (void)entry->attributes();
        Mapping map(entry, mode);
        if (!map.try_map()) return;
        std::uint64_t sum = 0;
        for (std::uint64_t i = 0; i < map.nbytes(); ++i)
          sum += static_cast<std::uint64_t>(map.data()[i]);
        mapped += sum < ~0ull ? 1 : 0;
      });
      if (round % 100 == 0) (void)context.entries();
    }
  };
  std::thread reader([&, context = stranger(*host)] { read_all(*context); });
  read_all(*host);
  reader.join();
  done = true;
  vandal.join();
  EXPECT_GT(mapped, 0);
  expect_service(*host);
}

TEST(HostileClientTest, NoticesWaitForOneThatReadsThemLate) {
  constexpr std::size_t kSegments = 600;  // More than its socket has room for.
  HostOptions cold = options();
  cold.pool_limit = 0;
  auto host = Context::host(cold);
  RawClient client(*host);
  ASSERT_TRUE(client.greet());
  ASSERT_EQ(client.fds.size(), 4u);
  const posix::UniqueFd notices = std::move(client.fds[3]);
  std::set<std::uint64_t> expected;
  for (std::size_t i = 0; i < kSegments; ++i) {
    auto block = host->create(100'000, false);
    block->publish("b");
    Message open = request_of(Operation::open_segment);
    open.location.segment = host->state().tables->read(block->index()).location.segment;
    ASSERT_EQ(client.ask(open)->status, protocol::kOk);
    expected.insert(open.location.segment);
    block->free();
  }
  ASSERT_TRUE(becomes([&] { return host->entries().empty(); }));
  while (!expected.empty()) {
    ASSERT_TRUE(posix::wait_readable(notices.get(), -1, milliseconds(5000)));
    Message notice;
    const auto got =
        posix::receive_message(notices.get(), std::as_writable_bytes(std::span(&notice, 1)));
    ASSERT_EQ(got.nbytes, sizeof(notice));
    EXPECT_EQ(notice.operation, Operation::notice_retire);
    EXPECT_EQ(expected.erase(notice.location.segment), 1u);
  }
}

}  // namespace
}  // namespace clara_fastio
