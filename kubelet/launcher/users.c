/*
 * Who a container of an image runs as: `sluice-container user ROOT USER`, with ROOT the folder of the image's files and USER as images and
 * pods say it: `bob`, `1000`, `bob:men`, `1000:1000`. Says `UID GID`, the home folder, and the supplementary groups, a line each.
 *
 *  1. A number is an id; whoever has it in the image's /etc/passwd lends it group, home and supplementary groups.
 *  2. A name must be there. So must a group's name, in /etc/group.
 *  3. A group that is named takes the place of the user's own one; supplementary groups are those that list the user, none with a group named.
 *
 * The image is hostile: its files are opened as if its root were this process' (openat2), no link leads out, and only regular ones of at most
 * 1 MiB are read. Nothing but text comes of them: whoever they name, a container gets no more rights than its spec lets it have.
 */
#define _GNU_SOURCE
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MOST_BYTES (1 << 20)
#define MOST_GROUPS 32
#define MOST_ID 4294967294ULL
#define FIELDS 7

struct line {
  char *fields[FIELDS];
};

/* A file of the image, ended by a zero byte; empty when there is none. */
static char *read_within(int root, const char *path) {
  struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV};
  struct stat status;
  char name[48], *text = calloc(1, MOST_BYTES + 1);
  if (text == NULL) die(errno, "read %s of the image", path);
  int place = syscall(SYS_openat2, root, path, &how, sizeof how);
  if (place < 0 && (errno == ENOENT || errno == ENOTDIR)) return text;
  if (place < 0 || fstat(place, &status) < 0) die(errno, "open %s of the image", path);
  /* Opening a device or a pipe would do something; looking at it does not. */
  if (!S_ISREG(status.st_mode) || status.st_size > MOST_BYTES)
    die(0, "read %s of the image: wanted a file of at most %d bytes", path, MOST_BYTES);
  snprintf(name, sizeof name, "/proc/self/fd/%d", place);
  int file = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) die(errno, "open %s of the image", path);
  size_t length = 0;
  ssize_t got;
  while (length < MOST_BYTES && (got = read(file, text + length, MOST_BYTES - length)) > 0) length += got;
  close(file);
  close(place);
  return text;
}

/* Takes the next line apart, which is changed by that; false after the last. */
static bool next_line(char **text, struct line *line) {
  char *at = strsep(text, "\n");
  if (at == NULL) return false;
  for (size_t i = 0; i < FIELDS; i++) {
    char *field = strsep(&at, ":");
    line->fields[i] = field == NULL ? "" : field;
  }
  return true;
}

static bool read_id(const char *text, uint32_t *id) {
  size_t digits = strspn(text, "0123456789");
  if (digits == 0 || digits > 10 || text[digits] != '\0') return false;
  unsigned long long found = strtoull(text, NULL, 10);
  *id = (uint32_t)found;
  return found <= MOST_ID;
}

/* The line of a name, or of an id, whose place is the third field. */
static bool find(char *text, const char *wanted, bool is_id, struct line *line) {
  uint32_t id = 0, own;
  if (is_id) read_id(wanted, &id);
  while (next_line(&text, line)) {
    if (line->fields[0][0] == '\0') continue;
    if (is_id ? read_id(line->fields[2], &own) && own == id : strcmp(line->fields[0], wanted) == 0) return true;
  }
  return false;
}

static bool lists(char *members, const char *name) {
  for (char *one; (one = strsep(&members, ",")) != NULL;)
    if (strcmp(one, name) == 0) return true;
  return false;
}

static void print_groups(char *text, const char *name, gid_t own) {
  struct line line;
  uint32_t id;
  size_t count = 0;
  while (*name != '\0' && next_line(&text, &line)) {
    if (!read_id(line.fields[2], &id) || id == own || !lists(line.fields[3], name)) continue;
    if (++count > MOST_GROUPS) die(0, "user %s is in more than %d groups of the image", name, MOST_GROUPS);
    printf("%s%u", count > 1 ? " " : "", id);
  }
}

int user_main(int root, char *user) {
  struct line line;
  uint32_t uid = 0, gid = 0;
  char *group = strchr(user, ':');
  if (group != NULL) *group++ = '\0';
  bool is_id = read_id(user, &uid);
  if (!is_id && user[strspn(user, "0123456789")] == '\0') die(0, "found user '%s', wanted a name or an id", user);
  bool is_known = find(read_within(root, "/etc/passwd"), user, is_id, &line);
  if (!is_id && !is_known) die(0, "unable to find user %s: no matching entries in passwd file", user);
  if (is_known && (!read_id(line.fields[2], &uid) || !read_id(line.fields[3], &gid)))
    die(0, "read /etc/passwd of the image: user %s has no ids", user);
  const char *name = is_known ? line.fields[0] : "", *home = is_known ? line.fields[5] : "";
  char *groups = read_within(root, "/etc/group");
  if (group != NULL && *group != '\0' && !read_id(group, &gid)) {
    struct line found;
    if (!find(groups, group, false, &found) || !read_id(found.fields[2], &gid))
      die(0, "unable to find group %s: no matching entries in group file", group);
  }
  printf("%u %u\n%s\n", uid, gid, home[0] == '/' ? home : uid == 0 ? "/root" : "/");
  if (group == NULL || *group == '\0') print_groups(groups, name, gid);
  printf("\n");
  return 0;
}
