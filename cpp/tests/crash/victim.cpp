// SPDX-License-Identifier: Apache-2.0
// Uses a context in one role until it is killed: `crash_victim CONTEXT ROLE STATE_FD PASSES`.
//
// It ends by itself with 0 after PASSES passes, with 3 when the host has died, with 4 when it read
// a content that is neither an old nor a new one, and with 5 after any other error.
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <span>
#include <string>
#include <thread>

#include "clara_fastio/context.hpp"
#include "clara_fastio/entry.hpp"
#include "clara_fastio/error.hpp"
#include "clara_fastio/mapping.hpp"
#include "state.hpp"

namespace clara_fastio::crash {
namespace {

using std::chrono::milliseconds;

/// Small ones share an arena, large ones have a segment of their own.
constexpr std::uint64_t kSizes[] = {1024, 200'000, 40'000, 1'000'000};

struct WrongContent {};

class Victim {
 public:
  Victim(std::string name, int state_fd)
      : name_(std::move(name)), state_(state_fd), prefix_("victim-" + std::to_string(getpid())) {
    open();
  }

  void pass(const std::string& role) {
    static const std::map<std::string, void (Victim::*)()> kRoles = {
        {"writer", &Victim::write},
        {"producer", &Victim::produce},
        {"reader", &Victim::read},
        {"creator", &Victim::create},
        {"publisher", &Victim::publish},
        {"waiter", &Victim::wait_for_held},
        {"restarted", &Victim::restart},
        {"sealer", &Victim::seal},
        {"everything", &Victim::do_everything},
    };
    (this->*kRoles.at(role))();
    ++passes_;
    state_.count_pass();
  }

 private:
  void open() { context_ = Context::open(name_); }

  std::uint64_t size() const { return kSizes[passes_ % std::size(kSizes)]; }

  /// Maps `entry`, waiting for as long as it takes, and gives the mapping to `use`.
  template <typename Use>
  void with_map(const std::shared_ptr<Entry>& entry, AccessMode mode, Use use) {
    Mapping mapping(entry, mode);
    bool is_open = mapping.try_map();
    while (!is_open) is_open = mapping.wait(milliseconds(100));
    state_.set(mapping.is_writable() ? Holds::write_lock : Holds::read_lock);
    use(mapping);
    mapping.commit();
    state_.set(Holds::nothing);
  }

  void fill_entry(const std::shared_ptr<Entry>& entry) {
    with_map(entry, AccessMode::write,
             [&](Mapping& mapping) { fill(mapping.data(), mapping.nbytes(), ++value_); });
  }

  void check_entry(const std::shared_ptr<Entry>& entry) {
    try {
      with_map(entry, AccessMode::read, [](Mapping& mapping) {
        if (!is_whole(mapping.data(), mapping.nbytes())) throw WrongContent{};
      });
    } catch (const Error& error) {
      state_.set(Holds::nothing);
      if (error.code() != Errc::lock_abandoned) throw;  // Its last writer was killed.
    }
  }

  std::shared_ptr<Entry> variable(const std::string& name, bool is_sealed = false) {
    Declaration declaration;
    declaration.name = name;
    declaration.is_sealed = is_sealed;
    declaration.element_type = ElementType::uint64;
    const std::int64_t dimensions[] = {kDynamic};
    declaration.shape = Shape::of(dimensions);
    bool is_new = false;
    return context_->declare(declaration, is_new);
  }

  // What everybody may write.
  void write() { fill_entry(context_->find("board")); }

  // A variable that nobody else has; another shape with each content.
  void produce() {
    const auto entry = variable(prefix_ + "-variable-" + std::to_string(passes_ / 8 % 2));
    const std::int64_t length[] = {static_cast<std::int64_t>(size() / 8)};
    entry->update_shape(Shape::of(length));
    fill_entry(entry);
    if (passes_ % 8 == 7) entry->free();
  }

  // A variable that the next victim goes on with.
  void restart() {
    const auto entry = variable("restarted");
    const std::int64_t length[] = {25'000};
    entry->update_shape(Shape::of(length));
    fill_entry(entry);
  }

  // A variable that is written once and frozen.
  void seal() {
    const auto entry = variable(prefix_ + "-sealed-" + std::to_string(passes_), true);
    const std::int64_t length[] = {25'000};
    entry->update_shape(Shape::of(length));
    fill_entry(entry);
    check_entry(entry);
    entry->free();
  }

  void read() {
    check_entry(context_->find("board"));
    if (const auto steady = context_->find("steady")) check_entry(steady);
  }

  // Memory that is never published.
  void create() {
    for (int i = 0; i < 3; ++i) {
      const auto entry = context_->create(size() + static_cast<std::uint64_t>(i) * 8, false);
      fill_entry(entry);
    }
  }

  void publish() {
    const auto entry = context_->create(size(), false);
    fill_entry(entry);
    const std::string name = prefix_ + "-block-" + std::to_string(passes_ % 3);
    if (const auto old = context_->find(name)) old->free();
    entry->publish(name);
    check_entry(context_->find(name));
  }

  void wait_for_held() { fill_entry(context_->find("held")); }

  // One thread holds the lock until the other has slept for it.
  void wait_for_own_thread() {
    const auto entry = context_->find("board");
    std::atomic<bool> is_held = false;
    std::atomic<bool> has_slept = false;
    std::thread holder([&] {
      try {
        with_map(entry, AccessMode::write, [&](Mapping& mapping) {
          fill(mapping.data(), mapping.nbytes(), ++value_);
          is_held.store(true);
          while (!has_slept.load() && !context_died()) usleep(100);
        });
      } catch (const Error&) {
        is_held.store(true);  // The host is dead; the other thread finds out as well.
      }
    });
    while (!is_held.load()) usleep(100);
    try {
      Mapping mapping(entry, AccessMode::read);
      bool is_open = mapping.try_map();
      while (!is_open) {
        is_open = mapping.wait(milliseconds(1));
        has_slept.store(true);
      }
      mapping.commit();
    } catch (const Error& error) {
      has_slept.store(true);
      holder.join();
      if (error.code() != Errc::lock_abandoned) throw;
      return;
    }
    has_slept.store(true);
    holder.join();
  }

  bool context_died() const {
    try {
      context_->check();
      return false;
    } catch (const Error&) {
      return true;
    }
  }

  void do_everything() {
    write();
    read();
    produce();
    seal();
    create();
    publish();
    wait_for_own_thread();
    if (passes_ % 2 == 1) {
      context_->close();
      open();
    }
  }

  const std::string name_;
  State state_;
  const std::string prefix_;
  std::shared_ptr<Context> context_;
  std::uint64_t passes_ = 0;
  std::atomic<std::uint64_t> value_ = static_cast<std::uint64_t>(getpid()) << 32;
};

int run(int argc, char** argv) {
  if (argc != 5) return 2;
  try {
    Victim victim(argv[1], std::atoi(argv[3]));
    std::puts("ready");
    std::fflush(stdout);
    const long passes = std::atol(argv[4]);
    for (long i = 0; i < passes; ++i) victim.pass(argv[2]);
    return 0;
  } catch (const WrongContent&) {
    std::fprintf(stderr, "crash_victim: the content is a mixture\n");
    return 4;
  } catch (const Error& error) {
    std::fprintf(stderr, "crash_victim: error %d: %s\n", static_cast<int>(error.code()),
                 error.what());
    return error.code() == Errc::host_died ? 3 : 5;
  }
}

}  // namespace
}  // namespace clara_fastio::crash

int main(int argc, char** argv) { return clara_fastio::crash::run(argc, argv); }
