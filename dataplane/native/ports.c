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
      ring_create(fd, request->ring_bytes, failure) < 0)
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
  ring_destroy(request->fd);
  close(request->fd);
  return -1;
}

/* openPacket(name, index, netns, promiscuous, ringBytes): fd; index 0 = look the name up */
napi_value open_packet(napi_env env, napi_callback_info info) {
  napi_value args[5];
  struct packet_request request = {0};
  int64_t index, ring_bytes;
  char netns[256];
  struct failure failure;
  if (!read_args(env, info, 5, args) || !arg_string(env, args[0], "name", request.name, sizeof request.name) ||
      !arg_int(env, args[1], "index", 0, INT32_MAX, &index) ||
      !arg_optional_string(env, args[2], "netns", netns, sizeof netns) || !arg_bool(env, args[3], &request.promiscuous) ||
      !arg_int(env, args[4], "ringBytes", 65536, 1 << 28, &ring_bytes))
    return NULL;
  request.index = (int)index;
  request.ring_bytes = (uint32_t)ring_bytes;
  if (run_in_netns(netns, create_packet, &request, &failure) < 0) return throw_failure(env, &failure);
  return make_int(env, request.fd);
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
