// SPDX-License-Identifier: Apache-2.0
// Preloaded into a process: while the file named by FAILING_DISK exists, the records' files can
// neither be written nor synchronised.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int fails(int fd) {
  const char* flag = getenv("FAILING_DISK");
  if (flag == NULL || access(flag, F_OK) != 0) return 0;
  char link[64], path[4096];
  snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, path, sizeof(path) - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return strstr(path, "records.sqlite") != NULL;
}

ssize_t pwrite64(int fd, const void* bytes, size_t count, off64_t offset) {
  static ssize_t (*next)(int, const void*, size_t, off64_t);
  if (next == NULL) next = dlsym(RTLD_NEXT, "pwrite64");
  if (!fails(fd)) return next(fd, bytes, count, offset);
  errno = EIO;
  return -1;
}

ssize_t pwrite(int fd, const void* bytes, size_t count, off_t offset) {
  return pwrite64(fd, bytes, count, offset);
}

int fdatasync(int fd) {
  static int (*next)(int);
  if (next == NULL) next = dlsym(RTLD_NEXT, "fdatasync");
  if (!fails(fd)) return next(fd);
  errno = EIO;
  return -1;
}
