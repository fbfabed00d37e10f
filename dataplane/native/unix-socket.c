/*
 * Unix sockets that carry descriptors (SCM_RIGHTS), for handing ports from process to process.
 *
 * Sockets are of type SOCK_SEQPACKET unless `stream` is asked for: one sendFds() is one recvFds(), and no framing is
 * needed. All are non-blocking and close-on-exec; a timeout in milliseconds (0 = do not wait, -1 = for ever) says how
 * long a call may wait. A received message that was cut short is an error, and its descriptors are closed, never leaked.
 */
#include "native.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MAX_FDS 64 /* of one message; the kernel allows 253 */
#define MAX_MESSAGE_BYTES (256 << 10)

static bool arg_address(napi_env env, napi_value value, struct sockaddr_un *address) {
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  return arg_string(env, value, "path", address->sun_path, sizeof address->sun_path);
}

static bool arg_timeout(napi_env env, napi_value value, int *out) {
  int64_t timeout;
  if (!arg_int(env, value, "timeoutMs", -1, INT32_MAX, &timeout)) return false;
  *out = (int)timeout;
  return true;
}

/* 1 ready, 0 timed out, -1 error. A signal shortens no wait by more than it took. */
static int wait_for(int fd, short events, int timeout) {
  struct pollfd watched = {.fd = fd, .events = events};
  struct timespec start, now;
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (int left = timeout;;) {
    int result = poll(&watched, 1, left);
    if (result >= 0 || errno != EINTR) return result;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (timeout < 0) continue;
    left = timeout - (int)((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000);
    if (left <= 0) return 0;
  }
}

static int new_socket(bool stream) {
  return socket(AF_UNIX, (stream ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* Throws for errno after closing fd. */
static napi_value abandon(napi_env env, int fd, const char *syscall, const char *subject) {
  int error = errno;
  close(fd);
  return throw_errno(env, syscall, subject, error);
}

/* unixListen(path, backlog, stream): fd */
napi_value unix_listen(napi_env env, napi_callback_info info) {
  napi_value args[3];
  struct sockaddr_un address;
  int64_t backlog;
  bool stream;
  if (!read_args(env, info, 3, args) || !arg_address(env, args[0], &address) ||
      !arg_int(env, args[1], "backlog", 1, 4096, &backlog) || !arg_bool(env, args[2], &stream))
    return NULL;
  int fd = new_socket(stream);
  if (fd < 0) return throw_errno(env, "socket", address.sun_path, errno);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) return abandon(env, fd, "bind", address.sun_path);
  if (listen(fd, (int)backlog) < 0) return abandon(env, fd, "listen", address.sun_path);
  return make_int(env, fd);
}

/* unixAccept(fd, timeoutMs): fd, or -1 when nobody came */
napi_value unix_accept(napi_env env, napi_callback_info info) {
  napi_value args[2];
  int fd, timeout;
  if (!read_args(env, info, 2, args) || !arg_fd(env, args[0], &fd) || !arg_timeout(env, args[1], &timeout)) return NULL;
  if (timeout != 0 && wait_for(fd, POLLIN, timeout) < 0) return throw_errno(env, "poll", "listening socket", errno);
  int peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (peer < 0 && errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
    return throw_errno(env, "accept", "listening socket", errno);
  return make_int(env, peer);
}

/* unixConnect(path, timeoutMs, stream): fd. Waits only while the listener's backlog is full. */
napi_value unix_connect(napi_env env, napi_callback_info info) {
  napi_value args[3];
  struct sockaddr_un address;
  int timeout;
  bool stream;
  if (!read_args(env, info, 3, args) || !arg_address(env, args[0], &address) || !arg_timeout(env, args[1], &timeout) ||
      !arg_bool(env, args[2], &stream))
    return NULL;
  int fd = new_socket(stream);
  if (fd < 0) return throw_errno(env, "socket", address.sun_path, errno);
  for (int waited = 0; connect(fd, (struct sockaddr *)&address, sizeof address) < 0; waited += 10) {
    if (errno != EAGAIN && errno != EINTR) return abandon(env, fd, "connect", address.sun_path);
    if (timeout >= 0 && waited >= timeout) {
      errno = ETIMEDOUT;
      return abandon(env, fd, "connect", address.sun_path);
    }
    poll(NULL, 0, 10); /* a full backlog cannot be waited for otherwise */
  }
  return make_int(env, fd);
}

static bool read_fds(napi_env env, napi_value value, int *fds, uint32_t *count) {
  bool is_array = false;
  napi_is_array(env, value, &is_array);
  if (!is_array) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "fds: wanted an array of descriptors");
    return false;
  }
  napi_get_array_length(env, value, count);
  if (*count > MAX_FDS) {
    napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "fds: wanted at most 64 in one message");
    return false;
  }
  for (uint32_t i = 0; i < *count; i++) {
    napi_value element;
    if (napi_get_element(env, value, i, &element) != napi_ok || !arg_fd(env, element, &fds[i])) return false;
  }
  return true;
}

/* Puts descriptors into a message; control has room for MAX_FDS. */
static void enclose_fds(struct msghdr *message, char *control, const int *fds, uint32_t count) {
  if (count == 0) return;
  message->msg_control = control;
  message->msg_controllen = CMSG_SPACE(count * sizeof(int));
  struct cmsghdr *header = CMSG_FIRSTHDR(message);
  *header = (struct cmsghdr){.cmsg_len = CMSG_LEN(count * sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
  memcpy(CMSG_DATA(header), fds, count * sizeof(int));
}

/* sendFds(socket, fds, payload, timeoutMs) */
napi_value send_fds(napi_env env, napi_callback_info info) {
  napi_value args[4];
  int socket_fd, fds[MAX_FDS], timeout;
  uint32_t count;
  uint8_t *payload;
  size_t length;
  if (!read_args(env, info, 4, args) || !arg_fd(env, args[0], &socket_fd) || !read_fds(env, args[1], fds, &count) ||
      !arg_bytes(env, args[2], "payload", &payload, &length) || !arg_timeout(env, args[3], &timeout))
    return NULL;
  if (length == 0 || length > MAX_MESSAGE_BYTES) { /* an empty message reads like the end */
    napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "payload: wanted 1 to 262144 bytes");
    return NULL;
  }
  char control[CMSG_SPACE(sizeof fds)] __attribute__((aligned(8))) = {0};
  struct iovec vector = {payload, length};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
  enclose_fds(&message, control, fds, count);
  for (bool waited = false;;) {
    ssize_t sent = sendmsg(socket_fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent == (ssize_t)length) return NULL;
    if (sent >= 0) return throw_errno(env, "sendmsg", "unix socket took a part of the message", EMSGSIZE);
    if (errno == EINTR) continue;
    if (errno != EAGAIN || waited) return throw_errno(env, "sendmsg", "unix socket", errno == EAGAIN ? ETIMEDOUT : errno);
    if (wait_for(socket_fd, POLLOUT, timeout) < 0) return throw_errno(env, "poll", "unix socket", errno);
    waited = true;
  }
}

/* tellUnix(path, fds, payload): 0, or -errno. A path that begins with @ is an abstract name. */
napi_value tell_unix(napi_env env, napi_callback_info info) {
  napi_value args[3];
  struct sockaddr_un address;
  int fds[MAX_FDS];
  uint32_t count;
  uint8_t *payload;
  size_t length;
  if (!read_args(env, info, 3, args) || !arg_address(env, args[0], &address) || !read_fds(env, args[1], fds, &count) ||
      !arg_bytes(env, args[2], "payload", &payload, &length))
    return NULL;
  socklen_t address_length = sizeof address;
  if (address.sun_path[0] == '@') { /* the length of an abstract name is a part of it */
    address_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(address.sun_path));
    address.sun_path[0] = '\0';
  }
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return make_int(env, -errno);
  char control[CMSG_SPACE(sizeof fds)] __attribute__((aligned(8))) = {0};
  struct iovec vector = {payload, length};
  struct msghdr message = {
      .msg_name = &address, .msg_namelen = address_length, .msg_iov = &vector, .msg_iovlen = 1};
  enclose_fds(&message, control, fds, count);
  ssize_t sent;
  do sent = sendmsg(fd, &message, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  int error = sent < 0 ? errno : 0;
  close(fd);
  return make_int(env, -error);
}

static uint32_t take_fds(struct msghdr *message, int *fds) {
  uint32_t count = 0;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    size_t bytes = header->cmsg_len - CMSG_LEN(0);
    memcpy(fds + count, CMSG_DATA(header), bytes);
    count += (uint32_t)(bytes / sizeof(int));
  }
  return count;
}

static napi_value make_message(napi_env env, const int *fds, uint32_t count, const void *payload, size_t length) {
  napi_value result, list, closed;
  napi_create_object(env, &result);
  napi_create_array_with_length(env, count, &list);
  for (uint32_t i = 0; i < count; i++) napi_set_element(env, list, i, make_int(env, fds[i]));
  napi_set_named_property(env, result, "fds", list);
  napi_set_named_property(env, result, "payload", make_bytes(env, payload, length));
  napi_get_boolean(env, length == 0, &closed);
  napi_set_named_property(env, result, "isClosed", closed);
  return result;
}

/* recvFds(socket, timeoutMs): {fds, payload, isClosed}, or null when there is nothing yet */
napi_value recv_fds(napi_env env, napi_callback_info info) {
  napi_value args[2], result = NULL;
  int socket_fd, timeout, fds[MAX_FDS];
  if (!read_args(env, info, 2, args) || !arg_fd(env, args[0], &socket_fd) || !arg_timeout(env, args[1], &timeout)) return NULL;
  if (timeout != 0 && wait_for(socket_fd, POLLIN, timeout) < 0) return throw_errno(env, "poll", "unix socket", errno);
  char *payload = malloc(MAX_MESSAGE_BYTES);
  if (!payload) return throw_errno(env, "malloc", "message", ENOMEM);
  char control[CMSG_SPACE(sizeof fds)] __attribute__((aligned(8)));
  struct iovec vector = {payload, MAX_MESSAGE_BYTES};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  ssize_t got = recvmsg(socket_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  int error = errno;
  if (got < 0 && (error == EAGAIN || error == EINTR)) {
    napi_get_null(env, &result);
  } else if (got < 0) {
    throw_errno(env, "recvmsg", "unix socket", error);
  } else {
    uint32_t count = take_fds(&message, fds);
    if (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
      while (count > 0) close(fds[--count]);
      throw_errno(env, "recvmsg", "message or its descriptors were cut short", EMSGSIZE);
    } else {
      result = make_message(env, fds, count, payload, (size_t)got);
    }
  }
  free(payload);
  return result;
}

/* waitReadable(fd, timeoutMs): boolean */
napi_value wait_readable(napi_env env, napi_callback_info info) {
  napi_value args[2], result;
  int fd, timeout;
  if (!read_args(env, info, 2, args) || !arg_fd(env, args[0], &fd) || !arg_timeout(env, args[1], &timeout)) return NULL;
  int ready = wait_for(fd, POLLIN, timeout);
  if (ready < 0) return throw_errno(env, "poll", "descriptor", errno);
  napi_get_boolean(env, ready > 0, &result);
  return result;
}
