/*
 * A container's log as the CRI has it: `2026-11-30T18:25:39.123456789Z stdout F text`, P instead of F for a part of a line that is longer
 * than 16 KiB. Two files of 10 MiB: when NAME is full it becomes NAME.1, which replaces the one before. Where the file system has
 * less than 32 MiB left nothing is written, and a line says later how much was lost: the agent's own tables may lie there.
 */
#define _GNU_SOURCE
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define MOST_BYTES (10 << 20)
#define LINE_BYTES 16384
#define PREFIX_BYTES 48
#define RESERVE_BYTES (32ULL << 20)
#define LOOK_BYTES (1 << 20) /* how much is written between two looks at the room that is left */

static int log_folder, log_fd = -1;
static char log_name[48];
static long long log_size, since_look = LOOK_BYTES, lost;
static bool has_room;

static struct {
  char text[LINE_BYTES];
  size_t length;
} lines[2];

static char gathered[65536];
static size_t gathered_length;

static void open_file(int flags) {
  log_fd = openat(log_folder, log_name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
}

void log_open(int folder, const char *name) {
  log_folder = folder;
  snprintf(log_name, sizeof log_name, "%s", name);
  open_file(O_TRUNC);
  if (log_fd < 0) die(errno, "open log %s", name);
}

static void rotate(void) {
  char old[56];
  snprintf(old, sizeof old, "%s.1", log_name);
  close(log_fd);
  renameat(log_folder, log_name, log_folder, old);
  open_file(O_TRUNC);
  log_size = 0;
}

static void look_for_room(void) {
  struct statvfs status;
  since_look = 0;
  has_room = fstatvfs(log_folder, &status) == 0 && (unsigned long long)status.f_bavail * status.f_frsize >= RESERVE_BYTES;
}

static void write_out(void) {
  if (gathered_length == 0) return;
  if (log_size + (long long)gathered_length > MOST_BYTES) rotate();
  since_look += gathered_length;
  if (since_look >= LOOK_BYTES) look_for_room();
  ssize_t done = has_room && log_fd >= 0 ? write(log_fd, gathered, gathered_length) : -1;
  if (done > 0) log_size += done;
  if (done < (ssize_t)gathered_length) lost += gathered_length - (done > 0 ? done : 0);
  gathered_length = 0;
}

static void add_line(int stream, const char *text, size_t length, char mark) {
  struct timespec now;
  struct tm parts;
  char prefix[PREFIX_BYTES];
  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &parts);
  size_t at = strftime(prefix, sizeof prefix, "%Y-%m-%dT%H:%M:%S", &parts);
  at += snprintf(prefix + at, sizeof prefix - at, ".%09ldZ %s %c ", now.tv_nsec, stream == 1 ? "stdout" : "stderr", mark);
  if (gathered_length + at + length + 1 > sizeof gathered) write_out();
  memcpy(gathered + gathered_length, prefix, at);
  memcpy(gathered + gathered_length + at, text, length);
  gathered_length += at + length;
  gathered[gathered_length++] = '\n';
}

static void tell_loss(void) {
  char text[80];
  if (lost == 0 || !has_room) return;
  int length = snprintf(text, sizeof text, "sluice: %lld bytes of log lost: no room on the file system", lost);
  lost = 0;
  add_line(2, text, length, 'F');
}

void log_take(int stream, const char *bytes, size_t count) {
  size_t *length = &lines[stream - 1].length;
  char *text = lines[stream - 1].text;
  while (count > 0) {
    size_t room = LINE_BYTES - *length, part = count < room ? count : room;
    const char *newline = memchr(bytes, '\n', part);
    if (newline != NULL) part = newline - bytes;
    memcpy(text + *length, bytes, part);
    *length += part;
    bytes += part;
    count -= part;
    if (newline != NULL) {
      add_line(stream, text, *length, 'F');
      *length = 0;
      bytes++;
      count--;
    } else if (*length == LINE_BYTES) {
      add_line(stream, text, *length, 'P');
      *length = 0;
    }
  }
}

void log_flush(bool is_end) {
  for (int stream = 1; is_end && stream <= 2; stream++)
    if (lines[stream - 1].length > 0) add_line(stream, lines[stream - 1].text, lines[stream - 1].length, 'P');
  tell_loss();
  write_out();
}
