/*
 * UDP and TCP sockets bound in another network namespace, for a server in another process: who opens them keeps them while
 * servers come and go; and TCP connections made there. IP_FREEBIND, because an IPv6 address that was just given is tentative for a second.
 */
#include "native.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECEIVE_BYTES (2 << 20) /* of datagrams that wait while a server is replaced */
#define BACKLOG 128

struct inet_request {
  bool is_stream;
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
  } address;
  char subject[128];
  int fd;
};

static bool read_address(const char *text, uint16_t port, struct inet_request *request) {
  memset(&request->address, 0, sizeof request->address);
  if (inet_pton(AF_INET, text, &request->address.v4.sin_addr) == 1) {
    request->address.v4.sin_family = AF_INET;
    request->address.v4.sin_port = htons(port);
    return true;
  }
  request->address.v6.sin6_family = AF_INET6;
  request->address.v6.sin6_port = htons(port);
  return inet_pton(AF_INET6, text, &request->address.v6.sin6_addr) == 1;
}

static socklen_t address_length(const struct inet_request *request) {
  return request->address.any.sa_family == AF_INET ? sizeof request->address.v4 : sizeof request->address.v6;
}

static int set_up(struct inet_request *request, struct failure *failure) {
  const int on = 1, room = RECEIVE_BYTES;
  const bool is_v4 = request->address.any.sa_family == AF_INET;
  const int fd = request->fd;
  /* Failures of these show where they matter: in bind. */
  if (is_v4) setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof on);
  else setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof on);
  if (!is_v4) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (request->is_stream) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  else if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) < 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  if (bind(fd, &request->address.any, address_length(request)) < 0)
    return fail(failure, "bind", request->subject, errno == EADDRINUSE ? "another process has this port" : NULL);
  if (request->is_stream && listen(fd, BACKLOG) < 0) return fail(failure, "listen", request->subject, NULL);
  return 0;
}

static int open_inet(void *argument, struct failure *failure) {
  struct inet_request *request = argument;
  const int type = request->is_stream ? SOCK_STREAM : SOCK_DGRAM;
  request->fd = socket(request->address.any.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (request->fd < 0) return fail(failure, "socket", request->subject, NULL);
  if (set_up(request, failure) == 0) return 0;
  close(request->fd);
  return -1;
}

static bool arg_inet(napi_env env, napi_value text, napi_value number, struct inet_request *request) {
  char address[64];
  int64_t port;
  if (!arg_string(env, text, "address", address, sizeof address) || !arg_int(env, number, "port", 0, 65535, &port))
    return false;
  snprintf(request->subject, sizeof request->subject, "%s port %d", address, (int)port);
  if (read_address(address, (uint16_t)port, request)) return true;
  napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "address: wanted an IPv4 or IPv6 address");
  return false;
}

/* openInetSocket(stream, address, port, netns): fd */
napi_value open_inet_socket(napi_env env, napi_callback_info info) {
  napi_value args[4];
  char netns[256];
  struct inet_request request;
  struct failure failure;
  if (!read_args(env, info, 4, args) || !arg_bool(env, args[0], &request.is_stream) ||
      !arg_inet(env, args[1], args[2], &request) || !arg_optional_string(env, args[3], "netns", netns, sizeof netns))
    return NULL;
  if (run_in_netns(netns, open_inet, &request, &failure) < 0) return throw_failure(env, &failure);
  return make_int(env, request.fd);
}

/* connectDatagrams(address, port): fd of a socket that hears this peer only, at a port that the kernel drew */
napi_value connect_datagrams(napi_env env, napi_callback_info info) {
  napi_value args[2];
  struct inet_request request;
  if (!read_args(env, info, 2, args) || !arg_inet(env, args[0], args[1], &request)) return NULL;
  int fd = socket(request.address.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return throw_errno(env, "socket", request.subject, errno);
  if (connect(fd, &request.address.any, address_length(&request)) == 0) return make_int(env, fd);
  int error = errno;
  close(fd);
  return throw_errno(env, "connect", request.subject, error);
}

static int begin_connect(void *argument, struct failure *failure) {
  struct inet_request *request = argument;
  request->fd = socket(request->address.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (request->fd < 0) return fail(failure, "socket", request->subject, NULL);
  if (connect(request->fd, &request->address.any, address_length(request)) == 0 || errno == EINPROGRESS) return 0;
  fail(failure, "connect", request->subject, NULL);
  close(request->fd);
  return -1;
}

/* beginConnect(address, port, netns): fd of a TCP socket that connects; it is writable when that is over */
napi_value begin_connect_stream(napi_env env, napi_callback_info info) {
  napi_value args[3];
  char netns[256];
  struct inet_request request;
  struct failure failure;
  if (!read_args(env, info, 3, args) || !arg_inet(env, args[0], args[1], &request) ||
      !arg_optional_string(env, args[2], "netns", netns, sizeof netns))
    return NULL;
  if (run_in_netns(netns, begin_connect, &request, &failure) < 0) return throw_failure(env, &failure);
  return make_int(env, request.fd);
}

/* endConnect(fd): throws what connecting ran into */
napi_value end_connect_stream(napi_env env, napi_callback_info info) {
  napi_value args[1];
  int fd, error;
  socklen_t length = sizeof error;
  if (!read_args(env, info, 1, args) || !arg_fd(env, args[0], &fd)) return NULL;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0) error = errno;
  return error ? throw_errno(env, "connect", "socket", error) : NULL;
}
