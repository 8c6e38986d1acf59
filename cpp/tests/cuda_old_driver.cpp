// SPDX-License-Identifier: Apache-2.0
// A driver of version 11.2 as far as the loader sees one: the functions before the first that it
// lacks. For a test of what is said then.
#define OLD_CUDA_EXPORT [[gnu::visibility("default")]]

extern "C" {

OLD_CUDA_EXPORT int cuInit(unsigned) { return 0; }
OLD_CUDA_EXPORT int cuDriverGetVersion(int* version) {
  *version = 11020;
  return 0;
}
OLD_CUDA_EXPORT int cuGetErrorName(int, const char**) { return 1; }
OLD_CUDA_EXPORT int cuGetErrorString(int, const char**) { return 1; }
OLD_CUDA_EXPORT int cuDeviceGetCount(int*) { return 100; }
OLD_CUDA_EXPORT int cuDeviceGet(int*, int) { return 100; }
OLD_CUDA_EXPORT int cuDeviceGetName(char*, int, int) { return 100; }
}
