/*
 * A netlink socket whose requests are answered in the call that sends them, as nf_tables and rtnetlink do: send one
 * datagram of messages, then receive until there is nothing more. What the messages say is written and read in TypeScript.
 */
#include "native.h"

#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_BYTES (8 << 20) /* what comes back of some ten thousand elements at once */

/* openNetlink(protocol): fd */
napi_value open_netlink(napi_env env, napi_callback_info info) {
  napi_value args[1];
  int64_t protocol;
  int bytes = BUFFER_BYTES, error;
  struct sockaddr_nl address = {.nl_family = AF_NETLINK};
  if (!read_args(env, info, 1, args) || !arg_int(env, args[0], "protocol", 0, 31, &protocol)) return NULL;
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, (int)protocol);
  if (fd < 0) return throw_errno(env, "socket", "netlink", errno);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
      setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) == 0 &&
      setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) == 0)
    return make_int(env, fd);
  error = errno;
  close(fd);
  return throw_errno(env, "bind", "netlink", error);
}

/* netlinkSend(fd, bytes): 0, or -errno */
napi_value netlink_send(napi_env env, napi_callback_info info) {
  napi_value args[2];
  int fd;
  uint8_t *bytes;
  size_t length;
  if (!read_args(env, info, 2, args) || !arg_fd(env, args[0], &fd) || !arg_bytes(env, args[1], "bytes", &bytes, &length))
    return NULL;
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  ssize_t sent;
  do sent = sendto(fd, bytes, length, 0, (struct sockaddr *)&kernel, sizeof kernel);
  while (sent < 0 && errno == EINTR);
  return make_int(env, sent < 0 ? -errno : 0);
}

/* netlinkReceive(fd, into): bytes of one datagram, 0 when there is none, or -errno; one that is longer than `into` is EMSGSIZE */
napi_value netlink_receive(napi_env env, napi_callback_info info) {
  napi_value args[2];
  int fd;
  uint8_t *into;
  size_t capacity;
  if (!read_args(env, info, 2, args) || !arg_fd(env, args[0], &fd) || !arg_bytes(env, args[1], "into", &into, &capacity))
    return NULL;
  ssize_t got;
  do got = recv(fd, into, capacity, MSG_DONTWAIT | MSG_TRUNC);
  while (got < 0 && errno == EINTR);
  if (got < 0) return make_int(env, errno == EAGAIN ? 0 : -errno);
  return make_int(env, (size_t)got > capacity ? -EMSGSIZE : got);
}
