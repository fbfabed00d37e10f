/* Map files: a file of tmpfs as an ArrayBuffer that every process sees alike. */
#include "native.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void unmap(napi_env env, void *address, void *length) {
  (void)env;
  munmap(address, (size_t)(uintptr_t)length);
}

/* Opens and maps; the descriptor is closed again, the mapping keeps the file. */
static void *map(const char *path, size_t bytes, bool writable, struct failure *failure) {
  int fd = open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC);
  if (fd < 0) return fail(failure, "open", path, NULL), NULL;
  struct stat status;
  void *address = NULL;
  if (fstat(fd, &status) < 0) {
    fail(failure, "fstat", path, NULL);
  } else if (!S_ISREG(status.st_mode)) {
    errno = EINVAL;
    fail(failure, "mmap", path, "not a regular file");
  } else if ((uint64_t)status.st_size < bytes) {
    errno = EINVAL; /* pages past the end would raise SIGBUS on the first touch */
    fail(failure, "mmap", path, "the file is shorter than the map; it is damaged or of another version: remove it");
  } else {
    address = mmap(NULL, bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
    if (address == MAP_FAILED) fail(failure, "mmap", path, NULL), address = NULL;
  }
  close(fd);
  return address;
}

/* mapFile(path, bytes, writable): ArrayBuffer */
napi_value map_file(napi_env env, napi_callback_info info) {
  napi_value args[3], result;
  char path[256];
  int64_t bytes;
  bool writable;
  if (!read_args(env, info, 3, args) || !arg_string(env, args[0], "path", path, sizeof path) ||
      !arg_int(env, args[1], "bytes", 1, (int64_t)1 << 33, &bytes) || !arg_bool(env, args[2], &writable))
    return NULL;
  struct failure failure;
  void *address = map(path, (size_t)bytes, writable, &failure);
  if (!address) return throw_failure(env, &failure);
  if (napi_create_external_arraybuffer(env, address, (size_t)bytes, unmap, (void *)(uintptr_t)bytes, &result) == napi_ok)
    return result;
  munmap(address, (size_t)bytes);
  return throw_errno(env, "mmap", path, ENOMEM);
}

/* unmapFile(buffer): detaches it, so that every view has length 0 and the mapping goes without waiting for the collector. */
napi_value unmap_file(napi_env env, napi_callback_info info) {
  napi_value args[1];
  bool is_buffer = false;
  if (!read_args(env, info, 1, args)) return NULL;
  napi_is_arraybuffer(env, args[0], &is_buffer);
  if (!is_buffer) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "buffer: wanted an ArrayBuffer of mapFile()");
    return NULL;
  }
  napi_detach_arraybuffer(env, args[0]);
  return NULL;
}
