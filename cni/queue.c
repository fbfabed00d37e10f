/*
 * Requests for an agent that is down: a file each in <run dir>/cni/deleted, written beside and renamed, so that the agent never sees half of
 * one. At most QUEUE_LIMIT: more would be a node whose agent nobody misses.
 */
#include "sluice-cni.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define QUEUE_LIMIT 256

static bool make_folder(const char *path) { return mkdir(path, 0700) == 0 || errno == EEXIST; }

/* -1: it cannot be read. */
static int count_files(const char *folder) {
  DIR *directory = opendir(folder);
  if (!directory) return -1;
  int count = 0;
  for (struct dirent *entry; (entry = readdir(directory));) count += entry->d_name[0] != '.';
  closedir(directory);
  return count;
}

bool keep_request(const char *run_dir, const struct text *request, char *problem, size_t capacity) {
  char folder[256], path[320], beside[320];
  snprintf(folder, sizeof folder, "%s/cni", run_dir);
  bool is_made = (mkdir(run_dir, 0755) == 0 || errno == EEXIST) && make_folder(folder);
  snprintf(folder, sizeof folder, "%s/cni/deleted", run_dir);
  int count = is_made && make_folder(folder) ? count_files(folder) : -1;
  if (count >= QUEUE_LIMIT) {
    snprintf(problem, capacity, "%.100s holds %d requests already", folder, count);
    return false;
  }
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  snprintf(path, sizeof path, "%s/%lld.%09ld-%d", folder, (long long)now.tv_sec, now.tv_nsec, (int)getpid());
  snprintf(beside, sizeof beside, "%s/.%lld.%09ld-%d", folder, (long long)now.tv_sec, now.tv_nsec, (int)getpid());
  int fd = count < 0 ? -1 : open(beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  bool is_kept = fd >= 0 && write_all(fd, request->bytes, request->length);
  int error = errno;
  if (fd >= 0) close(fd);
  if (is_kept && rename(beside, path) == 0) return true;
  if (is_kept) error = errno;
  if (fd >= 0) unlink(beside);
  snprintf(problem, capacity, "keep the request in %.100s: %s", folder, strerror(error));
  return false;
}
