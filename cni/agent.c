/*
 * One request of the agent's API, as docs/api.md has it: HTTP/1.1 over its unix socket, a connection for each. The answer has a
 * content-length, as all that the agent answers at once have.
 */
#include "sluice-cni.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define RETRY_MS 50
#define HEAD_LIMIT 16384

static void pause_ms(int milliseconds) { poll(NULL, 0, milliseconds); }

/* A connected socket, or -1 with the errno of the last try. */
static int connect_agent(const char *path, int64_t connect_by) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  strcpy(address.sun_path, path);
  for (;;) {
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
    int error = errno;
    close(fd);
    errno = error;
    bool is_absent = error == ENOENT || error == ECONNREFUSED || error == EAGAIN;
    if (!is_absent || now_ms() >= connect_by) return -1;
    pause_ms(RETRY_MS);
  }
}

static bool send_request(int fd, const struct text *body) {
  char head[160];
  snprintf(head, sizeof head,
           "POST /v1/cni HTTP/1.1\r\nhost: sluice\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n",
           body->length);
  return write_all(fd, head, strlen(head)) && write_all(fd, body->bytes, body->length);
}

/* Where the body begins; 0 while the head is not complete. */
static size_t head_end(const struct text *answer) {
  const char *end = answer->length ? strstr(answer->bytes, "\r\n\r\n") : NULL;
  return end ? (size_t)(end - answer->bytes) + 4 : 0;
}

static long content_length(const struct text *answer, size_t head) {
  for (const char *line = answer->bytes; line && line < answer->bytes + head; line = strstr(line, "\r\n")) {
    if (line != answer->bytes) line += 2;
    if (strncasecmp(line, "content-length:", 15) == 0) return strtol(line + 15, NULL, 10);
  }
  return -1;
}

/* 1 when all is there, 0 when there is more to come, -1 when it is no answer of the agent's. */
static int is_complete(const struct text *answer) {
  size_t head = head_end(answer);
  if (head == 0) return answer->length > HEAD_LIMIT ? -1 : 0;
  long length = content_length(answer, head);
  if (length < 0 || length > ANSWER_LIMIT || strncmp(answer->bytes, "HTTP/1.1 ", 9) != 0) return -1;
  return answer->length >= head + (size_t)length;
}

/* NULL, or what was wrong. */
static const char *read_answer(int fd, int64_t answer_by, struct text *raw) {
  for (;;) {
    int state = is_complete(raw);
    if (state < 0) return "answered something else than HTTP";
    if (state > 0) return NULL;
    int64_t left = answer_by - now_ms();
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    int polled = left > 0 ? poll(&ready, 1, (int)left) : 0;
    if (polled < 0 && errno == EINTR) continue;
    if (polled <= 0) return "did not answer in time";
    char piece[65536];
    ssize_t got = read(fd, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return "broke off";
    add_bytes(raw, piece, (size_t)got);
  }
}

void ask_agent(const char *socket_path, const struct text *request, int64_t connect_by, int64_t answer_by, struct answer *answer) {
  struct text raw = {0};
  *answer = (struct answer){0};
  int fd = connect_agent(socket_path, connect_by);
  if (fd < 0) {
    snprintf(answer->problem, sizeof answer->problem, "connect %.100s: %s", socket_path, strerror(errno));
    return;
  }
  answer->was_there = true;
  const char *problem = send_request(fd, request) ? read_answer(fd, answer_by, &raw) : "took no request";
  close(fd);
  if (problem) {
    snprintf(answer->problem, sizeof answer->problem, "the agent behind %.90s %s", socket_path, problem);
  } else {
    size_t head = head_end(&raw);
    answer->status = atoi(raw.bytes + 9);
    add_bytes(&answer->body, raw.bytes + head, (size_t)content_length(&raw, head));
  }
  free(raw.bytes);
}
