/*
 * The file system of a container.
 *
 *     /            overlay: the skeleton that the kubelet wrote (etc, tmp, var ...) below a tmpfs of this container
 *     /usr ...     overlay: the host's folder below the same tmpfs
 *     /dev         tmpfs with the six harmless devices, read only; /dev/pts of its own; /dev/shm the pod's
 *     /proc        of its pid namespace, parts hidden or read only; /sys read only
 *     volumes      of the pod, and single files of the host, where the spec has them
 *
 * With an image its files are below the root in place of the skeleton and of the host's folders, and a few folders and empty files of ours lie
 * over them: where something is mounted while the host's root is in reach, and where files of the pod come, nothing of the image is found, and so no link.
 *
 * Nothing of the host's root is in it but the folders that are named: what a container writes goes to its tmpfs, which is bounded
 * and ends with it. Where the kernel gives no overlay, the skeleton is copied and the host's folders are read only.
 *
 * Whatever comes from outside is taken hold of first (open_tree) and put in its place only when the host's root is gone: links
 * that a container left in a volume lead nowhere else then.
 */
#define _GNU_SOURCE
#include "launcher.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#define OPEN_TREE_CLOEXEC O_CLOEXEC
#endif
#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 4
#endif

#define PLAIN (MS_NOSUID | MS_NODEV)

static int volume_trees[MAX_MOUNTS], bind_trees[MAX_MOUNTS];

static int clone_tree(int fd) {
  return syscall(SYS_open_tree, fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

static int open_beneath(int folder, const char *path) {
  struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
  return syscall(SYS_openat2, folder, path, &how, sizeof how);
}

/* A path within a volume; folders that are missing are made, and nothing outside of the volume is reached by any link. */
static int open_subpath(int volume, const char *path) {
  int found = open_beneath(volume, path);
  if (found >= 0 || errno != ENOENT) return found;
  struct stat status;
  char parent[PATH_MAX], *slash;
  if (strlen(path) >= sizeof parent || fstat(volume, &status) < 0) return -1;
  strcpy(parent, path);
  slash = strrchr(parent, '/');
  const char *name = slash == NULL ? path : path + (slash - parent) + 1;
  if (slash != NULL) *slash = '\0';
  int folder = slash == NULL ? dup(volume) : open_subpath(volume, parent);
  if (folder < 0) return -1;
  int made = mkdirat(folder, name, status.st_mode & 0777);
  if (made == 0 && fchownat(folder, name, status.st_uid, status.st_gid, AT_SYMLINK_NOFOLLOW) < 0) made = -1;
  int is_failed = made < 0 && errno != EEXIST;
  close(folder);
  return is_failed ? -1 : open_beneath(volume, path);
}

void take_volumes(int sandbox) {
  int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
  if (own < 0) die(errno, "open the mount namespace");
  enter(sandbox, "mnt");
  for (size_t i = 0; i < spec.volumes_count; i++) {
    struct mount_line *line = &spec.volumes[i];
    char path[NAME_MAX + 16];
    snprintf(path, sizeof path, "/volumes/%s", line->source);
    int volume = open(path, O_PATH | O_CLOEXEC | O_NOFOLLOW);
    if (volume < 0) die(errno, "open volume %s", line->source);
    int from = *line->subpath == '\0' ? volume : open_subpath(volume, line->subpath);
    if (from < 0) die(errno, "open subPath %s of volume %s", line->subpath, line->source);
    volume_trees[i] = clone_tree(from);
    if (volume_trees[i] < 0) die(errno, "clone volume %s", line->source);
    if (from != volume) close(from);
    close(volume);
  }
  if (setns(own, CLONE_NEWNS) < 0) die(errno, "go back to the mount namespace");
  close(own);
}

void make_directories(const char *path) {
  char part[PATH_MAX];
  if (strlen(path) >= sizeof part) die(ENAMETOOLONG, "make folder %s", path);
  strcpy(part, path);
  for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    if (mkdir(part, 0755) < 0 && errno != EEXIST) die(errno, "make folder %s", part);
    *slash = '/';
  }
  if (mkdir(part, 0755) < 0 && errno != EEXIST) die(errno, "make folder %s", part);
}

static void mount_or_die(const char *source, const char *target, const char *type, unsigned long flags, const char *data) {
  if (mount(source, target, type, flags, data) < 0) die(errno, "mount %s on %s", source, target);
}

/* Copies links, files and folders, for want of an overlay. */
static void copy_tree(int from, int to) {
  DIR *folder = fdopendir(from);
  for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
    const char *name = entry->d_name;
    struct stat status;
    char link[PATH_MAX];
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
    if (fstatat(from, name, &status, AT_SYMLINK_NOFOLLOW) < 0) die(errno, "copy %s", name);
    if (S_ISLNK(status.st_mode)) {
      ssize_t length = readlinkat(from, name, link, sizeof link - 1);
      link[length < 0 ? 0 : length] = '\0';
      if (symlinkat(link, to, name) < 0) die(errno, "copy %s", name);
    } else if (S_ISDIR(status.st_mode)) {
      if (mkdirat(to, name, 0755) < 0) die(errno, "copy %s", name);
      int inner = openat(to, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      copy_tree(openat(from, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), inner);
      if (fchmod(inner, status.st_mode & 07777) < 0) die(errno, "copy %s", name);
      close(inner);
    } else if (S_ISREG(status.st_mode)) {
      static char chunk[65536];
      int source = openat(from, name, O_RDONLY | O_CLOEXEC);
      int made = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, status.st_mode & 0777);
      ssize_t got;
      while ((got = read(source, chunk, sizeof chunk)) > 0)
        if (write(made, chunk, got) != got) die(errno, "copy %s", name);
      if (source < 0 || made < 0 || got < 0) die(errno, "copy %s", name);
      close(source);
      close(made);
    }
  }
  if (folder == NULL) die(errno, "copy a folder");
  closedir(folder);
}

/* How many files a tmpfs of so many bytes may hold: each costs the kernel a KiB that the size does not count. */
static long long files_in(long long bytes) { return bytes / 4096 + 1024; }

/* Without overlays: a copy of the skeleton as root, which is first; a read-only view of what the host has beneath it. */
static void make_plain(const char *place, size_t index) {
  char lower[64];
  snprintf(lower, sizeof lower, "lower%zu.0", index);
  if (index == 0) {
    mount_or_die("sluice-root", place, "tmpfs", PLAIN, "mode=755,size=64m,nr_inodes=16k");
    int to = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    copy_tree(open(lower, O_RDONLY | O_DIRECTORY | O_CLOEXEC), to);
    close(to);
    return;
  }
  mount_or_die(lower, place, NULL, MS_BIND, NULL);
  mount_or_die("", place, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NODEV, NULL);
}

/* Layers are mounted under short names first: a path of the host's may hold what an overlay's options cannot. */
static bool make_layer(size_t index) {
  char line[PATH_MAX * 4], place[PATH_MAX + 8], lowers[512] = "", options[640], name[64];
  if (strlen(spec.overlays[index]) >= sizeof line) die(ENAMETOOLONG, "overlay");
  strcpy(line, spec.overlays[index]);
  char *target = strtok(line, "\n"), *lower;
  if (target == NULL) die(0, "overlay: wanted a target and its layers");
  size_t count = 0;
  for (; (lower = strtok(NULL, "\n")) != NULL && count < 8; count++) {
    snprintf(name, sizeof name, "lower%zu.%zu", index, count);
    if (mkdir(name, 0755) < 0) die(errno, "make %s", name);
    mount_or_die(lower, name, NULL, MS_BIND, NULL);
    mount_or_die("", name, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NODEV, NULL);
    if (count > 0) strcat(lowers, ":");
    strcat(lowers, name);
  }
  snprintf(name, sizeof name, "upper%zu", index);
  mkdir(name, 0755);
  snprintf(name, sizeof name, "work%zu", index);
  mkdir(name, 0755);
  snprintf(place, sizeof place, "new%s", strcmp(target, "/") == 0 ? "" : target);
  snprintf(options, sizeof options, "lowerdir=%s,upperdir=upper%zu,workdir=work%zu", lowers, index, index);
  if (mount("overlay", place, "overlay", MS_NODEV, options) == 0) return true;
  if (spec.needs_overlay) die(errno, "mount the image's files below a layer of the container");
  make_plain(place, index);
  return false;
}

static void make_devices(void) {
  static const struct {
    const char *name;
    int major, minor;
  } devices[] = {{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};
  mount_or_die("sluice-dev", "new/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755,size=64k");
  for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
    char path[32];
    snprintf(path, sizeof path, "new/dev/%s", devices[i].name);
    if (mknod(path, S_IFCHR | 0666, makedev(devices[i].major, devices[i].minor)) < 0 || chmod(path, 0666) < 0)
      die(errno, "make %s", path);
  }
  mkdir("new/dev/pts", 0755);
  mkdir("new/dev/shm", 0755);
  mount_or_die("devpts", "new/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5");
  if (symlink("/proc/self/fd", "new/dev/fd") < 0 || symlink("/proc/self/fd/0", "new/dev/stdin") < 0 ||
      symlink("/proc/self/fd/1", "new/dev/stdout") < 0 || symlink("/proc/self/fd/2", "new/dev/stderr") < 0 ||
      symlink("pts/ptmx", "new/dev/ptmx") < 0)
    die(errno, "make links of /dev");
  /* A terminal of the container is bound here when it has one. */
  int console = open("new/dev/console", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (console >= 0) close(console);
}

static void make_kernel_views(void) {
  mount_or_die("sysfs", "new/sys", "sysfs", MS_RDONLY | PLAIN | MS_NOEXEC, NULL);
  /* The second tells how much power other programs take, and so what they do. */
  static const char *const hidden[] = {"new/sys/firmware", "new/sys/devices/virtual/powercap"};
  for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
    if (access(hidden[i], F_OK) == 0) mount_or_die("sluice-none", hidden[i], "tmpfs", MS_RDONLY | PLAIN, "size=0k,nr_inodes=1");
}

static void pivot(const char *place) {
  if (chdir(place) < 0 || syscall(SYS_pivot_root, ".", ".") < 0) die(errno, "make %s the root", place);
  if (umount2(".", MNT_DETACH) < 0 || chdir("/") < 0) die(errno, "leave the host's root");
}

/* Puts something that was taken hold of in its place. */
static void put(int tree, const struct mount_line *line) {
  struct stat status, there;
  if (fstat(tree, &status) < 0) die(errno, "look at what is mounted on %s", line->target);
  if (stat(line->target, &there) < 0) {
    if (S_ISDIR(status.st_mode)) make_directories(line->target);
    else {
      char parent[PATH_MAX];
      snprintf(parent, sizeof parent, "%s", line->target);
      char *slash = strrchr(parent, '/');
      *slash = '\0';
      if (slash != parent) make_directories(parent);
      int file = open(line->target, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
      if (file < 0) die(errno, "make %s", line->target);
      close(file);
    }
  }
  if (syscall(SYS_move_mount, tree, "", AT_FDCWD, line->target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
    die(errno, "mount on %s", line->target);
  close(tree);
  unsigned long mode = line->is_read_only ? MS_RDONLY : 0;
  mount_or_die("", line->target, NULL, MS_REMOUNT | MS_BIND | PLAIN | mode, NULL);
}

/* A mount namespace in which nothing is told to the host; the work folder is that of DIR in it, which its descriptor is not. */
static void enter_own_root(int folder) {
  if (mkdirat(folder, "root", 0700) < 0 && errno != EEXIST) die(errno, "make the root's folder");
  if (fchdir(folder) < 0 || unshare(CLONE_NEWNS) < 0) die(errno, "make a mount namespace");
  mount_or_die("", "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

bool make_root(int folder) {
  char options[96];
  bool is_layered = true;
  enter_own_root(folder);
  for (size_t i = 0; i < spec.binds_count; i++) {
    bind_trees[i] = syscall(SYS_open_tree, AT_FDCWD, spec.binds[i].source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    if (bind_trees[i] < 0) die(errno, "open %s", spec.binds[i].source);
  }
  snprintf(options, sizeof options, "mode=755,size=%lld,nr_inodes=%lld", spec.root_bytes, files_in(spec.root_bytes));
  mount_or_die("sluice-root", "root", "tmpfs", PLAIN, options);
  if (chdir("root") < 0 || mkdir("new", 0755) < 0) die(errno, "make the root's folder");
  for (size_t i = 0; i < spec.overlays_count; i++) is_layered = make_layer(i) && is_layered;
  make_devices();
  make_kernel_views();
  pivot("new");
  for (size_t i = 0; i < spec.binds_count; i++) put(bind_trees[i], &spec.binds[i]);
  for (size_t i = 0; i < spec.volumes_count; i++) put(volume_trees[i], &spec.volumes[i]);
  if (spec.cwd != NULL) make_directories(spec.cwd);
  mount_or_die("", "/dev", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NOEXEC, NULL);
  for (size_t i = 0; spec.is_root_read_only && i < spec.overlays_count; i++) {
    char target[PATH_MAX];
    snprintf(target, sizeof target, "%.*s", (int)strcspn(spec.overlays[i], "\n"), spec.overlays[i]);
    mount_or_die("", target, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NODEV, NULL);
  }
  return is_layered;
}

void mount_proc(void) {
  /* The last four are the machine's as well: a trigger of /proc/pressure is memory of the kernel's, debug messages are its log. */
  static const char *const read_only[] = {"/proc/bus", "/proc/fs",   "/proc/irq",           "/proc/sys", "/proc/sysrq-trigger",
                                          "/proc/pressure", "/proc/dynamic_debug", "/proc/mtrr", "/proc/driver"};
  static const char *const hidden[] = {"/proc/acpi",       "/proc/asound",     "/proc/interrupts", "/proc/kcore",
                                       "/proc/keys",       "/proc/key-users",  "/proc/latency_stats", "/proc/sched_debug",
                                       "/proc/scsi",       "/proc/timer_list", "/proc/timer_stats",   "/proc/kmsg",
                                       "/proc/kallsyms",   "/proc/kpagecount", "/proc/kpageflags",    "/proc/kpagecgroup",
                                       "/proc/vmallocinfo", "/proc/slabinfo",  "/proc/config.gz"};
  mount_or_die("proc", "/proc", "proc", PLAIN | MS_NOEXEC, NULL);
  for (size_t i = 0; i < sizeof read_only / sizeof *read_only; i++) {
    if (access(read_only[i], F_OK) < 0) continue;
    mount_or_die(read_only[i], read_only[i], NULL, MS_BIND, NULL);
    mount_or_die("", read_only[i], NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | PLAIN | MS_NOEXEC, NULL);
  }
  for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
    struct stat status;
    if (stat(hidden[i], &status) < 0) continue;
    if (S_ISDIR(status.st_mode))
      mount_or_die("sluice-none", hidden[i], "tmpfs", MS_RDONLY | PLAIN, "size=0k,nr_inodes=1");
    else mount_or_die("/dev/null", hidden[i], NULL, MS_BIND, NULL);
  }
}

void make_pod_root(int folder) {
  char options[128];
  enter_own_root(folder);
  snprintf(options, sizeof options, "mode=755,size=%lld,nr_inodes=%lld", spec.volumes_bytes, files_in(spec.volumes_bytes));
  mount_or_die("sluice-pod", "root", "tmpfs", PLAIN | MS_NOEXEC, options);
  if (mkdir("root/volumes", 0755) < 0) die(errno, "make the volumes' folder");
  pivot("root");
  for (size_t i = 0; i < spec.scratch_count; i++) {
    char line[NAME_MAX + 96], path[NAME_MAX + 16], *rest;
    if (strlen(spec.scratch[i]) >= sizeof line) die(0, "scratch: too long");
    strcpy(line, spec.scratch[i]);
    const char *name = strtok_r(line, "\n", &rest), *bytes = strtok_r(NULL, "\n", &rest);
    const char *mode = strtok_r(NULL, "\n", &rest), *gid = strtok_r(NULL, "\n", &rest);
    if (gid == NULL || strchr(name, '/') != NULL || *name == '.') die(0, "scratch: found %s", spec.scratch[i]);
    snprintf(path, sizeof path, "/volumes/%s", name);
    snprintf(options, sizeof options, "mode=%s,size=%s,nr_inodes=%lld,gid=%s", mode, bytes, files_in(atoll(bytes)), gid);
    if (mkdir(path, 0755) < 0) die(errno, "make volume %s", name);
    mount_or_die("sluice-volume", path, "tmpfs", PLAIN, options);
  }
}
