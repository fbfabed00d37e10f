/*
 * This program's own file, out of a container's reach.
 *
 * A command of a container may be a link to /proc/self/exe: then this program is executed where the container's processes are, and its
 * /proc/PID/exe is the host's file. Root of the container owns that file, as user id 0, and could change its mode (the set-user-id
 * bit!) or, once nothing runs it, its bytes. So before anything of a container is near, the program executes itself anew from a read-only mount, which
 * has left every mount namespace by then and which nobody can make writable: what is reached by way of /proc/PID/exe is read only.
 */
#define _GNU_SOURCE
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool is_read_only(int file) {
  struct statvfs status;
  if (fstatvfs(file, &status) < 0) die(errno, "look at sluice-container's own mount");
  return (status.f_flag & ST_RDONLY) != 0;
}

/* A descriptor of the program's file, of a read-only mount; the caller's mount namespace and work folder are as before. */
static int open_read_only(void) {
  char path[PATH_MAX];
  ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
  if (length < 0) die(errno, "find sluice-container's own file");
  path[length] = '\0';
  int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC), folder = open(".", O_PATH | O_CLOEXEC);
  if (own < 0 || folder < 0) die(errno, "open the mount namespace");
  if (unshare(CLONE_NEWNS) < 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
      mount(path, path, NULL, MS_BIND, NULL) < 0 || mount("", path, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
    die(errno, "make a read-only view of %s", path);
  int file = open(path, O_PATH | O_CLOEXEC);
  if (file < 0) die(errno, "open %s", path);
  if (setns(own, CLONE_NEWNS) < 0 || fchdir(folder) < 0) die(errno, "go back to the mount namespace");
  close(own);
  close(folder);
  return file;
}

void seal_own_file(char **argv) {
  int now = open("/proc/self/exe", O_PATH | O_CLOEXEC);
  if (now < 0) die(errno, "open sluice-container's own file");
  bool is_sealed = is_read_only(now);
  close(now);
  if (is_sealed) return;
  int file = open_read_only();
  if (!is_read_only(file)) die(0, "sluice-container's own file is still writable"); /* it would execute itself for ever */
  syscall(SYS_execveat, file, "", argv, environ, AT_EMPTY_PATH);
  die(errno, "execute sluice-container anew");
}
