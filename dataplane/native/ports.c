/*
 * Opening ports: a TAP device, or an AF_PACKET socket on an existing interface (the host end of a veth pair).
 *
 * Both speak "virtio-net header, then Ethernet frame", so the kernel hands over TCP segments and UDP trains of up to
 * 64 KiB with their checksums undone, and takes the like back. That is where the speed comes from.
 */
#include "native.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef TUN_F_USO4 /* Linux 6.2; Debian 12 ships older headers */
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

#define TCP_OFFLOADS (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)
#define UDP_OFFLOADS (TUN_F_USO4 | TUN_F_USO6)
/* Large frames wait in it while the loop is busy: with 4 MiB, four TCP streams lost some. Beyond net.core.rmem_max. */
#define SOCKET_BUFFER_BYTES (32 << 20)

struct tap_request {
  char name[IFNAMSIZ];
  bool persist, udp_offload;
  int fd;
};

static int attach_tap(int fd, struct tap_request *request, struct failure *failure) {
  struct ifreq wanted = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
  int header = VNET_HEADER_BYTES;
  memcpy(wanted.ifr_name, request->name, sizeof request->name);
  if (ioctl(fd, TUNSETIFF, &wanted) < 0)
    return fail(failure, "ioctl TUNSETIFF", request->name,
                errno == EINVAL ? "the name is taken by an interface that is no TAP; remove it or choose another" : NULL);
  memcpy(request->name, wanted.ifr_name, sizeof request->name); /* "tap%d" comes back numbered */
  if (ioctl(fd, TUNSETVNETHDRSZ, &header) < 0) return fail(failure, "ioctl TUNSETVNETHDRSZ", request->name, NULL);
  request->udp_offload = ioctl(fd, TUNSETOFFLOAD, TCP_OFFLOADS | UDP_OFFLOADS) == 0;
  if (!request->udp_offload && ioctl(fd, TUNSETOFFLOAD, TCP_OFFLOADS) < 0)
    return fail(failure, "ioctl TUNSETOFFLOAD", request->name, NULL);
  if (request->persist && ioctl(fd, TUNSETPERSIST, 1) < 0)
    return fail(failure, "ioctl TUNSETPERSIST", request->name, NULL);
  return 0;
}

static int create_tap(void *argument, struct failure *failure) {
  struct tap_request *request = argument;
  request->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (request->fd < 0)
    return fail(failure, "open", "/dev/net/tun",
                errno == ENOENT ? "load the driver with modprobe tun"
                : errno == EACCES || errno == EPERM ? "run as root or grant CAP_NET_ADMIN"
                                                    : NULL);
  if (attach_tap(request->fd, request, failure) == 0) return 0;
  close(request->fd);
  return -1;
}

/* openTap(name, netns, persist): {fd, name, hasUdpOffload} */
napi_value open_tap(napi_env env, napi_callback_info info) {
  napi_value args[3], result, name, offload;
  struct tap_request request = {0};
  char netns[256];
  struct failure failure;
  if (!read_args(env, info, 3, args) || !arg_string(env, args[0], "name", request.name, sizeof request.name) ||
      !arg_optional_string(env, args[1], "netns", netns, sizeof netns) || !arg_bool(env, args[2], &request.persist))
    return NULL;
  if (run_in_netns(netns, create_tap, &request, &failure) < 0) return throw_failure(env, &failure);
  napi_create_object(env, &result);
  set_int(env, result, "fd", request.fd);
  napi_create_string_utf8(env, request.name, NAPI_AUTO_LENGTH, &name);
  napi_set_named_property(env, result, "name", name);
  napi_get_boolean(env, request.udp_offload, &offload);
  napi_set_named_property(env, result, "hasUdpOffload", offload);
  return result;
}

/* isTapThere(fd): whether the device of a TAP's descriptor exists; who deletes it leaves a descriptor of nothing */
napi_value is_tap_there(napi_env env, napi_callback_info info) {
  napi_value args[1], result;
  int fd;
  struct ifreq found;
  if (!read_args(env, info, 1, args) || !arg_fd(env, args[0], &fd)) return NULL;
  napi_get_boolean(env, ioctl(fd, TUNGETIFF, &found) == 0, &result);
  return result;
}

struct packet_request {
  char name[IFNAMSIZ];
  int index;
  bool promiscuous;
  uint32_t ring_bytes;
  int fd;
};

static int set_option(int fd, int level, int option, const char *label, struct failure *failure) {
  int on = 1;
  return setsockopt(fd, level, option, &on, sizeof on) < 0 ? fail(failure, "setsockopt", label, NULL) : 0;
}

static int configure_packet(int fd, struct packet_request *request, struct failure *failure) {
  if (request->index == 0) request->index = (int)if_nametoindex(request->name);
  if (request->index == 0) return fail(failure, "if_nametoindex", request->name, NULL);
  if (set_option(fd, SOL_PACKET, PACKET_VNET_HDR, "PACKET_VNET_HDR", failure) < 0 ||
      set_option(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, "PACKET_IGNORE_OUTGOING", failure) < 0 ||
      set_option(fd, SOL_PACKET, PACKET_QDISC_BYPASS, "PACKET_QDISC_BYPASS", failure) < 0 ||
      ring_request(fd, request->ring_bytes, failure) < 0)
    return -1;
  int bytes = SOCKET_BUFFER_BYTES;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0)
    return fail(failure, "setsockopt", "SO_RCVBUFFORCE", NULL);
  if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) < 0)
    return fail(failure, "setsockopt", "SO_SNDBUFFORCE", NULL);
  struct packet_mreq promiscuous = {.mr_ifindex = request->index, .mr_type = PACKET_MR_PROMISC};
  if (request->promiscuous &&
      setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous) < 0)
    return fail(failure, "setsockopt PACKET_ADD_MEMBERSHIP", request->name, NULL);
  struct sockaddr_ll address = {
      .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = request->index};
  return bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ? fail(failure, "bind", request->name, NULL) : 0;
}

static int create_packet(void *argument, struct failure *failure) {
  struct packet_request *request = argument;
  /* Protocol 0: nothing is received before bind() names the interface. */
  request->fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (request->fd < 0)
    return fail(failure, "socket", "AF_PACKET", errno == EPERM ? "run as root or grant CAP_NET_RAW" : NULL);
  if (configure_packet(request->fd, request, failure) == 0) return 0;
  close(request->fd);
  return -1;
}

static bool read_packet_request(napi_env env, napi_value *args, struct packet_request *request, char *netns, size_t capacity) {
  int64_t index, ring_bytes;
  if (!arg_string(env, args[0], "name", request->name, sizeof request->name) ||
      !arg_int(env, args[1], "index", 0, INT32_MAX, &index) || !arg_optional_string(env, args[2], "netns", netns, capacity) ||
      !arg_bool(env, args[3], &request->promiscuous) ||
      !arg_int(env, args[4], "ringBytes", 65536, 1 << 28, &ring_bytes))
    return false;
  request->index = (int)index;
  request->ring_bytes = (uint32_t)ring_bytes;
  return true;
}

/* openPacket(name, index, netns, promiscuous, ringBytes): fd; index 0 = look the name up */
napi_value open_packet(napi_env env, napi_callback_info info) {
  napi_value args[5];
  struct packet_request request = {0};
  char netns[256];
  struct failure failure;
  if (!read_args(env, info, 5, args) || !read_packet_request(env, args, &request, netns, sizeof netns)) return NULL;
  if (run_in_netns(netns, create_packet, &request, &failure) < 0) return throw_failure(env, &failure);
  if (ring_map(request.fd, request.ring_bytes, INT32_MAX, &failure) < 0) {
    close(request.fd);
    return throw_failure(env, &failure);
  }
  return make_int(env, request.fd);
}

/* A socket on its way: giving it a ring waits for a grace period of the kernel, 10 to 20 ms, on a thread of libuv's. */
struct opening {
  napi_async_work work;
  napi_deferred deferred;
  struct packet_request request;
  char netns[256];
  struct failure failure;
  int result;
};

static void open_beside(napi_env env, void *data) {
  (void)env;
  struct opening *opening = data;
  opening->result = run_in_netns(opening->netns, create_packet, &opening->request, &opening->failure);
}

static void opened(napi_env env, napi_status status, void *data) {
  struct opening *opening = data;
  if (status == napi_ok && opening->result == 0)
    napi_resolve_deferred(env, opening->deferred, make_int(env, opening->request.fd));
  else if (status == napi_ok)
    napi_reject_deferred(env, opening->deferred, make_error(env, &opening->failure));
  napi_delete_async_work(env, opening->work);
  free(opening);
}

/* openSocket(name, index, netns, promiscuous, ringBytes): Promise of a descriptor whose ring nobody has mapped yet */
napi_value open_socket(napi_env env, napi_callback_info info) {
  napi_value args[5], name, promise;
  struct opening *opening = calloc(1, sizeof *opening);
  if (!opening) return throw_errno(env, "malloc", "packet socket", ENOMEM);
  if (!read_args(env, info, 5, args) ||
      !read_packet_request(env, args, &opening->request, opening->netns, sizeof opening->netns)) {
    free(opening);
    return NULL;
  }
  napi_create_promise(env, &opening->deferred, &promise);
  napi_create_string_utf8(env, "openSocket", NAPI_AUTO_LENGTH, &name);
  napi_create_async_work(env, NULL, name, open_beside, opened, opening, &opening->work);
  napi_queue_async_work(env, opening->work);
  return promise;
}

/* mapRing(fd, ringBytes, maxAgeMs): frames thrown away that had waited longer */
napi_value map_ring(napi_env env, napi_callback_info info) {
  napi_value args[3];
  int fd;
  int64_t ring_bytes, max_age;
  struct failure failure;
  if (!read_args(env, info, 3, args) || !arg_fd(env, args[0], &fd) ||
      !arg_int(env, args[1], "ringBytes", 65536, 1 << 28, &ring_bytes) ||
      !arg_int(env, args[2], "maxAgeMs", -1, INT32_MAX, &max_age))
    return NULL;
  int stale = ring_map(fd, (uint32_t)ring_bytes, (int32_t)max_age, &failure);
  return stale < 0 ? throw_failure(env, &failure) : make_int(env, stale);
}

/* boundIndex(fd): index of the interface that a packet socket is bound to; 0 when that is gone, or it is no such socket */
napi_value bound_index(napi_env env, napi_callback_info info) {
  napi_value args[1];
  int fd;
  struct sockaddr_ll address = {0};
  socklen_t size = sizeof address;
  if (!read_args(env, info, 1, args) || !arg_fd(env, args[0], &fd)) return NULL;
  bool is_bound = getsockname(fd, (struct sockaddr *)&address, &size) == 0 && address.sll_family == AF_PACKET;
  return make_int(env, is_bound && address.sll_ifindex > 0 ? address.sll_ifindex : 0);
}

/* packetDrops(fd): frames the kernel threw away for want of receive buffer since the last call */
napi_value packet_drops(napi_env env, napi_callback_info info) {
  napi_value args[1];
  int fd;
  struct tpacket_stats statistics = {0};
  socklen_t length = sizeof statistics;
  if (!read_args(env, info, 1, args) || !arg_fd(env, args[0], &fd)) return NULL;
  if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &statistics, &length) < 0)
    return throw_errno(env, "getsockopt", "PACKET_STATISTICS", errno);
  return make_int(env, statistics.tp_drops);
}
