/*
 * Reads DIR/spec: words that end with a zero byte, by twos: a key and its value. A key that lists something comes once for each.
 * A key that is not known is a fault, so that no wish to confine is passed over.
 */
#define _GNU_SOURCE
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void put(const char **list, size_t *count, size_t most, const char *value, const char *key) {
  if (*count >= most) die(0, "more than %zu of %s", most, key);
  list[(*count)++] = value;
}

/* Cuts `value` at newlines; answers how many parts there are. */
static size_t cut(char *value, char **parts, size_t most) {
  size_t count = 0;
  for (char *part = strtok(value, "\n"); part != NULL && count < most; part = strtok(NULL, "\n")) parts[count++] = part;
  return count;
}

static void put_mount(struct mount_line *list, size_t *count, char *value, const char *key) {
  char *parts[4];
  size_t found = cut(value, parts, 4);
  if (*count >= MAX_MOUNTS) die(0, "more than %d of %s", MAX_MOUNTS, key);
  if (found < 3 || parts[found - 1][0] != '/') die(0, "%s: wanted a mode, a source and a target", key);
  struct mount_line *line = &list[(*count)++];
  line->is_read_only = strcmp(parts[0], "ro") == 0;
  line->source = parts[1];
  line->subpath = found == 4 ? parts[2] : "";
  line->target = parts[found - 1];
}

static long long number(const char *key, const char *value) {
  char *end;
  errno = 0;
  long long found = strtoll(value, &end, 10);
  if (errno != 0 || *value == '\0' || *end != '\0' || found < 0) die(0, "%s: wanted a number, found %s", key, value);
  return found;
}

static uint32_t id(const char *key, const char *value) {
  long long found = number(key, value);
  if (found > 4294967294LL) die(0, "%s: too great: %s", key, value);
  return (uint32_t)found;
}

static void take(const char *key, char *value) {
#define IS(name) (strcmp(key, name) == 0)
  if (IS("arg")) put(spec.args, &spec.args_count, MAX_ARGS, value, key);
  else if (IS("env")) put(spec.env, &spec.env_count, MAX_ENV, value, key);
  else if (IS("overlay")) put(spec.overlays, &spec.overlays_count, MAX_MOUNTS, value, key);
  else if (IS("sysctl")) put(spec.sysctls, &spec.sysctls_count, MAX_MOUNTS, value, key);
  else if (IS("scratch")) put(spec.scratch, &spec.scratch_count, MAX_MOUNTS, value, key);
  else if (IS("bind")) put_mount(spec.binds, &spec.binds_count, value, key);
  else if (IS("volume")) put_mount(spec.volumes, &spec.volumes_count, value, key);
  else if (IS("netns")) spec.netns = value;
  else if (IS("hostname")) spec.hostname = value;
  else if (IS("domainname")) spec.domainname = value;
  else if (IS("volumesBytes")) spec.volumes_bytes = number(key, value);
  else if (IS("attempt")) spec.attempt = value;
  else if (IS("exits")) spec.exits = value;
  else if (IS("exitName")) spec.exit_name = value;
  else if (IS("sandbox")) spec.sandbox = (pid_t)id(key, value);
  else if (IS("sandboxStart")) spec.sandbox_start = value;
  else if (IS("sharesPids")) spec.shares_pids = true;
  else if (IS("tty")) spec.has_tty = true;
  else if (IS("stdin")) spec.has_stdin = true;
  else if (IS("stdinOnce")) spec.is_stdin_once = true;
  else if (IS("readOnlyRoot")) spec.is_root_read_only = true;
  else if (IS("noNewPrivileges")) spec.has_no_new_privileges = true;
  else if (IS("unfiltered")) spec.is_unfiltered = true;
  else if (IS("needsOverlay")) spec.needs_overlay = true;
  else if (IS("rootBytes")) spec.root_bytes = number(key, value);
  else if (IS("capabilities")) spec.capabilities = strtoull(value, NULL, 16);
  else if (IS("uid")) spec.uid = id(key, value);
  else if (IS("gid")) spec.gid = id(key, value);
  else if (IS("cwd")) spec.cwd = value;
  else if (IS("cgroup")) spec.cgroup = value;
  else if (IS("group")) {
    if (spec.groups_count >= MAX_GROUPS) die(0, "more than %d groups", MAX_GROUPS);
    spec.groups[spec.groups_count++] = id(key, value);
  } else die(0, "spec: unknown key: %s", key);
#undef IS
}

void read_spec(int folder) {
  struct stat status;
  int file = openat(folder, "spec", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0 || fstat(file, &status) < 0) die(errno, "open spec");
  if (status.st_size > MAX_SPEC_BYTES) die(0, "spec: longer than %d bytes", MAX_SPEC_BYTES);
  char *text = malloc(status.st_size + 1);
  if (text == NULL) die(errno, "read spec");
  ssize_t length = 0, got;
  while ((got = read(file, text + length, status.st_size - length)) > 0) length += got;
  close(file);
  if (length == 0 || text[length - 1] != '\0') die(0, "spec: cut short");
  for (char *at = text; at < text + length;) {
    char *value = at + strlen(at) + 1;
    if (value >= text + length) die(0, "spec: a key without its value: %s", at);
    char *next = value + strlen(value) + 1;
    take(at, value);
    at = next;
  }
}

void start_time(int proc_dir, char *text, size_t capacity) {
  char stat[1024];
  text[0] = '\0';
  int file = openat(proc_dir, "stat", O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  ssize_t length = read(file, stat, sizeof stat - 1);
  close(file);
  if (length <= 0) return;
  stat[length] = '\0';
  char *at = strrchr(stat, ')'); /* the name, in brackets, may hold anything */
  if (at == NULL || at[1] == '\0' || at[2] == 'Z' || at[2] == 'X') return;
  at += 2;
  for (int field = 3; field < 22; field++) {
    at = strchr(at, ' ');
    if (at == NULL) return;
    at++;
  }
  size_t digits = strspn(at, "0123456789");
  snprintf(text, capacity, "%.*s", (int)digits, at);
}

int host_proc = -1;

int proc_of(pid_t pid) {
  char name[16];
  if (host_proc < 0) host_proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  snprintf(name, sizeof name, "%d", pid);
  return openat(host_proc, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int open_process(pid_t pid, const char *start) {
  char found[32] = "";
  int proc_dir = proc_of(pid);
  if (proc_dir >= 0) start_time(proc_dir, found, sizeof found);
  if (proc_dir < 0 || start == NULL || found[0] == '\0' || strcmp(found, start) != 0)
    die(0, "process %d has ended", pid);
  return proc_dir;
}

void enter(int proc_dir, const char *name) {
  char path[16];
  snprintf(path, sizeof path, "ns/%s", name);
  int file = openat(proc_dir, path, O_RDONLY | O_CLOEXEC);
  if (file < 0 || setns(file, 0) < 0) die(errno, "enter the %s namespace", name);
  close(file);
}

void write_file(int folder, const char *name, const char *text) {
  char draft[160];
  snprintf(draft, sizeof draft, ".%s.new", name);
  int file = openat(folder, draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  size_t length = strlen(text);
  if (file < 0 || write(file, text, length) != (ssize_t)length || close(file) < 0 ||
      renameat(folder, draft, folder, name) < 0)
    die(errno, "write %s", name);
}

bool poke(const char *path, const char *text) {
  int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  bool is_written = write(file, text, strlen(text)) >= 0;
  close(file);
  return is_written;
}
