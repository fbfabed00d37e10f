/*
 * Map files: a file of tmpfs as an ArrayBuffer that every process sees alike.
 *
 * A mapping goes by unmap_file(), at once, or with its buffer. Node hands the end of a buffer to the event loop of the
 * thread that made it, even when the buffer is detached; the forwarding thread never enters its event loop. So the list
 * of mappings, not the buffer, says what is still to be unmapped.
 */
#include "native.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct mapping {
  void *address; /* NULL: unmapped */
  size_t bytes;
  struct mapping *next, **link; /* while it is in the list */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct mapping *mappings;

static void add_mapping(struct mapping *mapping) {
  pthread_mutex_lock(&lock);
  mapping->next = mappings;
  mapping->link = &mappings;
  if (mappings) mappings->link = &mapping->next;
  mappings = mapping;
  pthread_mutex_unlock(&lock);
}

/* Takes a mapping out of the list and away; the caller holds the lock. */
static void take_away(struct mapping *mapping) {
  if (!mapping->address) return;
  munmap(mapping->address, mapping->bytes);
  mapping->address = NULL;
  *mapping->link = mapping->next;
  if (mapping->next) mapping->next->link = mapping->link;
}

/* The buffer is gone. */
static void forget(napi_env env, void *address, void *hint) {
  (void)env;
  (void)address;
  pthread_mutex_lock(&lock);
  take_away(hint);
  pthread_mutex_unlock(&lock);
  free(hint);
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
  struct mapping *mapping = calloc(1, sizeof *mapping);
  if (mapping) {
    *mapping = (struct mapping){.address = address, .bytes = (size_t)bytes};
    add_mapping(mapping);
    if (napi_create_external_arraybuffer(env, address, (size_t)bytes, forget, mapping, &result) == napi_ok) return result;
    forget(env, address, mapping);
    return throw_errno(env, "mmap", path, ENOMEM);
  }
  munmap(address, (size_t)bytes);
  return throw_errno(env, "mmap", path, ENOMEM);
}

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

/*
 * reserveFile(buffer, offset, bytes): makes room for a part of a writable mapping, so that a store there cannot raise SIGBUS for
 * want of it. False when the file system has none. A kernel that cannot say (before 5.14) promises nothing: true.
 */
napi_value reserve_file(napi_env env, napi_callback_info info) {
  napi_value args[3], result;
  void *address = NULL;
  size_t size = 0;
  int64_t offset, bytes;
  if (!read_args(env, info, 3, args)) return NULL;
  if (napi_get_arraybuffer_info(env, args[0], &address, &size) != napi_ok) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "buffer: wanted an ArrayBuffer of mapFile()");
    return NULL;
  }
  if (!arg_int(env, args[1], "offset", 0, (int64_t)size, &offset) ||
      !arg_int(env, args[2], "bytes", 0, (int64_t)size - offset, &bytes))
    return NULL;
  size_t page = (size_t)sysconf(_SC_PAGESIZE), from = (size_t)offset & ~(page - 1);
  size_t length = (size_t)offset + (size_t)bytes - from;
  bool has_room = bytes == 0 || madvise((char *)address + from, length, MADV_POPULATE_WRITE) == 0 || errno == EINVAL;
  napi_get_boolean(env, has_room, &result);
  return result;
}

/* unmapFile(buffer): takes the mapping away now, and detaches the buffer, so that every view has length 0. */
napi_value unmap_file(napi_env env, napi_callback_info info) {
  napi_value args[1];
  bool is_buffer = false;
  void *address = NULL;
  size_t bytes;
  if (!read_args(env, info, 1, args)) return NULL;
  napi_is_arraybuffer(env, args[0], &is_buffer);
  if (!is_buffer) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "buffer: wanted an ArrayBuffer of mapFile()");
    return NULL;
  }
  napi_get_arraybuffer_info(env, args[0], &address, &bytes);
  if (napi_detach_arraybuffer(env, args[0]) != napi_ok || !address) return NULL;
  pthread_mutex_lock(&lock);
  for (struct mapping *mapping = mappings; mapping; mapping = mapping->next) {
    if (mapping->address != address) continue;
    take_away(mapping);
    break;
  }
  pthread_mutex_unlock(&lock);
  return NULL;
}
