/* Bytes that grow, reading and writing all of something, and the clock. */
#include "sluice-cni.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void make_room(struct text *text, size_t more) {
  size_t needed = text->length + more + 1;
  if (needed <= text->capacity) return;
  size_t capacity = text->capacity ? text->capacity : 4096;
  while (capacity < needed) capacity *= 2;
  char *bytes = realloc(text->bytes, capacity);
  if (!bytes) {
    static const char problem[] = "{\"cniVersion\":\"1.0.0\",\"code\":5,\"msg\":\"out of memory\"}\n";
    write_all(STDOUT_FILENO, problem, sizeof problem - 1);
    exit(1);
  }
  text->bytes = bytes;
  text->capacity = capacity;
}

void add_bytes(struct text *text, const void *bytes, size_t length) {
  make_room(text, length);
  if (length) memcpy(text->bytes + text->length, bytes, length);
  text->length += length;
  text->bytes[text->length] = '\0';
}

void add_string(struct text *text, const char *string) { add_bytes(text, string, strlen(string)); }

void add_number(struct text *text, long number) {
  char digits[24];
  snprintf(digits, sizeof digits, "%ld", number);
  add_string(text, digits);
}

void add_json(struct text *text, const char *bytes, size_t length) {
  add_string(text, "\"");
  for (size_t i = 0; i < length; i++) {
    unsigned char byte = (unsigned char)bytes[i];
    char escaped[8];
    if (byte == '"' || byte == '\\') snprintf(escaped, sizeof escaped, "\\%c", byte);
    else if (byte < 0x20 || byte == 0x7f) snprintf(escaped, sizeof escaped, "\\u%04x", byte);
    else snprintf(escaped, sizeof escaped, "%c", byte);
    add_string(text, escaped);
  }
  add_string(text, "\"");
}

bool add_all(struct text *text, int fd, size_t limit) {
  for (;;) {
    char piece[65536];
    ssize_t got = read(fd, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got == 0;
    add_bytes(text, piece, (size_t)got);
    if (text->length > limit) return false;
  }
}

bool write_all(int fd, const char *bytes, size_t length) {
  while (length > 0) {
    ssize_t sent = write(fd, bytes, length);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;
    bytes += sent;
    length -= (size_t)sent;
  }
  return true;
}

int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}
