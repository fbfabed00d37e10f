/*
 * Clients that are attached to a container, at a unix socket beside its log. Frames both ways: a byte of type, four of length (big
 * endian), and what is sent:
 *
 *     0 input   1 stdout   2 stderr   3 size of the terminal (rows, columns: two bytes each)   4 end of input   5 exit code (four bytes)
 *
 * A client that does not read is cut off when its socket is full; one whose input the container does not read is not read either.
 */
#define _GNU_SOURCE
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define HEADER_BYTES 5
#define MOST_FRAME (1 << 20)
#define SEND_BUFFER_BYTES (256 << 10)

enum { INPUT = 0, SIZE = 3, END = 4 };

int input_fd = -1, terminal_fd = -1;

static int listener = -1;
static struct client {
  bool is_used;
  int fd;
  uint8_t header[HEADER_BYTES];
  size_t header_length;
  uint32_t left; /* of the frame */
  char waiting[4096];
  size_t waiting_length, waiting_from;
} clients[MAX_CLIENTS];

void attach_listen(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "attach"};
  unlink("attach");
  listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, MAX_CLIENTS) < 0)
    die(errno, "listen for clients");
}

static void close_input(void) {
  if (input_fd >= 0 && input_fd != terminal_fd) close(input_fd);
  input_fd = -1;
}

static void drop(struct client *client) {
  close(client->fd);
  client->is_used = false;
  if (spec.is_stdin_once) close_input();
}

size_t attach_wants(struct pollfd *fds) {
  size_t count = 0, used = 0;
  bool has_waiting = false;
  for (struct client *client = clients; client < clients + MAX_CLIENTS; client++) {
    if (!client->is_used) continue;
    used++;
    has_waiting = has_waiting || client->waiting_length > 0;
    fds[count++] = (struct pollfd){.fd = client->fd, .events = client->waiting_length > 0 ? 0 : POLLIN};
  }
  if (used < MAX_CLIENTS) fds[count++] = (struct pollfd){.fd = listener, .events = POLLIN};
  if (has_waiting && input_fd >= 0) fds[count++] = (struct pollfd){.fd = input_fd, .events = POLLOUT};
  return count;
}

static void pass_on(struct client *client) {
  while (client->waiting_length > 0) {
    ssize_t done = input_fd < 0 ? (ssize_t)client->waiting_length
                                : write(input_fd, client->waiting + client->waiting_from, client->waiting_length);
    if (done < 0 && errno == EAGAIN) return;
    if (done < 0) {
      close_input();
      continue;
    }
    client->waiting_from += done;
    client->waiting_length -= done;
  }
}

/* One step of reading; false when there is nothing more for now, or the client is gone. */
static bool read_step(struct client *client) {
  uint8_t *header = client->header;
  if (client->header_length < HEADER_BYTES) {
    ssize_t got = read(client->fd, header + client->header_length, HEADER_BYTES - client->header_length);
    if (got < 0 && errno == EAGAIN) return false;
    if (got <= 0) {
      drop(client);
      return false;
    }
    client->header_length += got;
    if (client->header_length < HEADER_BYTES) return true;
    client->left = (uint32_t)header[1] << 24 | header[2] << 16 | header[3] << 8 | header[4];
    if (client->left > MOST_FRAME || (header[0] == SIZE && client->left != 4)) {
      drop(client);
      return false;
    }
  }
  if (client->left > 0) {
    size_t wanted = client->left < sizeof client->waiting ? client->left : sizeof client->waiting;
    ssize_t got = read(client->fd, client->waiting, wanted);
    if (got < 0 && errno == EAGAIN) return false;
    if (got <= 0) {
      drop(client);
      return false;
    }
    client->left -= got;
    if (header[0] == INPUT) {
      client->waiting_from = 0;
      client->waiting_length = got;
      pass_on(client);
    } else if (header[0] == SIZE && got == 4 && terminal_fd >= 0) resize_terminal(terminal_fd, (uint8_t *)client->waiting);
  }
  if (client->left > 0) return client->waiting_length == 0;
  client->header_length = 0;
  if (header[0] == END && spec.is_stdin_once) close_input();
  return client->waiting_length == 0;
}

static void welcome(void) {
  int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK), room = SEND_BUFFER_BYTES;
  if (fd < 0) return;
  for (struct client *client = clients; client < clients + MAX_CLIENTS; client++) {
    if (client->is_used) continue;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
    memset(client, 0, sizeof *client);
    client->is_used = true;
    client->fd = fd;
    return;
  }
  close(fd);
}

void attach_serve(const struct pollfd *fds, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (fds[i].revents == 0) continue;
    if (fds[i].fd == listener) {
      welcome();
      continue;
    }
    for (struct client *client = clients; client < clients + MAX_CLIENTS; client++) {
      if (!client->is_used) continue;
      if (fds[i].fd == input_fd) pass_on(client);
      else if (client->fd == fds[i].fd && client->waiting_length > 0) drop(client); /* it hung up while its input waited */
      else if (client->fd == fds[i].fd)
        for (int steps = 0; steps < 64 && read_step(client); steps++) continue;
    }
  }
}

void attach_tell(uint8_t type, const void *bytes, size_t count) {
  uint8_t header[HEADER_BYTES] = {type, count >> 24, count >> 16, count >> 8, count};
  struct iovec parts[2] = {{header, HEADER_BYTES}, {(void *)bytes, count}};
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
  for (struct client *client = clients; client < clients + MAX_CLIENTS; client++)
    if (client->is_used && sendmsg(client->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)(count + HEADER_BYTES))
      drop(client);
}
