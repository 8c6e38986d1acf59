// SPDX-License-Identifier: Apache-2.0
// What does the work on a frame cost when nothing has to be handed over?
// Usage: bench_frame_work CPU NBYTES
#include <array>
#include <cstdlib>
#include <vector>

#include "frame_work.hpp"
#include "serve.hpp"

namespace {

using Frame = std::vector<std::uint64_t>;

constexpr std::size_t kPrepared = 4;

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  bench::pin(std::atoi(argv[1]));
  const auto nbytes = static_cast<std::size_t>(std::atoll(argv[2]));
  std::array<Frame, kPrepared> prepared;
  for (std::size_t i = 0; i < kPrepared; ++i) {
    prepared[i].resize(nbytes / 8);
    frame_work_prepare(prepared[i].data(), nbytes, i);
  }
  Frame produced(nbytes / 8);
  Frame filtered(nbytes / 8);
  std::uint64_t number = 0;
  volatile std::uint64_t sum = 0;
  const auto produce = [&] {
    frame_work_produce(produced.data(), prepared[number++ % kPrepared].data(), nbytes);
  };
  const auto filter = [&] { frame_work_filter(filtered.data(), produced.data(), nbytes); };
  const auto reduce = [&] { sum = frame_work_reduce(filtered.data(), nbytes); };
  const auto repeat = [](auto step) {
    return [step](std::uint64_t steps) {
      for (; steps > 0; --steps) step();
    };
  };
  return bench::serve({
      {"produce", repeat(produce)},
      {"filter", repeat(filter)},
      {"reduce", repeat(reduce)},
      {"frame", repeat([&] {
         produce();
         filter();
         reduce();
       })},
  });
}
