/*
 * Sending a list of frames: each is one message, and a train of UDP datagrams is one message too.
 *
 * A train is a run of at least MIN_TRAIN frames that follow each other in the list and differ in nothing but payload and IP
 * identification: one flow, one size (the last may be shorter), checksums undone, DF set. It goes to the kernel as a single
 * large frame that the receiving stack cuts up again (virtio-net UDP_L4, as `ethtool rx-udp-gro-forwarding` has it):
 * one copied header, then the payloads where they lie. So the way through the receiver's device and IP layer, 2 us a
 * frame, is paid once a train. A kernel that refuses (before Linux 6.2) is not asked again.
 *
 * A packet socket hands its frames straight to the interface (PACKET_QDISC_BYPASS), and that way the kernel throws away
 * what it would have to cut up itself: every train where tx-udp-segmentation is off, every large TCP frame where TSO is,
 * both as ENOBUFS. What an interface takes changes under way (ethtool, XDP, another MTU), so it is not asked but seen: a
 * large frame refused like that is sent again through the interface's queue, where the kernel cuts in software, and the
 * socket stays with the queue. If the queue refuses too, the interface is just full, and the socket goes back.
 */
#include "native.h"

#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define MIN_TRAIN 4
#define ETHERNET_BYTES 14
#define MAX_HEADER_BYTES (VNET_HEADER_BYTES + ETHERNET_BYTES + 40 + 8)

static atomic_bool trains_refused;

struct message {
  int frames;
  int vectors; /* of the pool below */
  int from;
};

#define MAX_SENDERS 65536
/* Interface by which a socket sends, by descriptor; 0: the one that it is bound to. */
static atomic_int senders[MAX_SENDERS];

/* sendBy(fd, index) */
napi_value send_by(napi_env env, napi_callback_info info) {
  napi_value args[2];
  int fd;
  int64_t index;
  if (!read_args(env, info, 2, args) || !arg_fd(env, args[0], &fd) ||
      !arg_int(env, args[1], "index", 0, INT32_MAX, &index))
    return NULL;
  if (fd < MAX_SENDERS) atomic_store(&senders[fd], (int)index);
  else if (index != 0) return throw_errno(env, "sendBy", "packet socket", EMFILE);
  return NULL;
}

static __thread struct message messages[MAX_BATCH];
static __thread struct mmsghdr headers[MAX_BATCH];
static __thread struct iovec vectors[2 * MAX_BATCH];
static __thread uint8_t train_headers[MAX_BATCH / MIN_TRAIN][MAX_HEADER_BYTES];

static uint16_t get16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }
static void put16(uint8_t *at, uint16_t value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

static uint32_t sum16(const uint8_t *at, int bytes, uint32_t sum) {
  for (int i = 0; i < bytes; i += 2) sum += get16(at + i);
  return sum;
}

static uint16_t fold(uint32_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)sum;
}

/* Bytes before the UDP payload if the frame may head a train, else 0. */
static int train_header_bytes(const uint8_t *frame, int32_t length) {
  struct virtio_net_hdr vnet;
  memcpy(&vnet, frame - VNET_HEADER_BYTES, VNET_HEADER_BYTES);
  if (!(vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || vnet.gso_type != VIRTIO_NET_HDR_GSO_NONE || length < 43) return 0;
  const uint8_t *ip = frame + ETHERNET_BYTES;
  int ip_bytes = 40;
  if (get16(frame + 12) == 0x0800) {
    ip_bytes = 20;
    bool is_plain = ip[0] == 0x45 && (get16(ip + 6) & 0x7fff) == 0x4000 && ip[9] == IPPROTO_UDP;
    if (!is_plain || get16(ip + 2) != length - ETHERNET_BYTES) return 0;
  } else if (get16(frame + 12) != 0x86dd || length < 63 || ip[0] >> 4 != 6 || ip[6] != IPPROTO_UDP ||
             get16(ip + 4) != length - ETHERNET_BYTES - 40) {
    return 0;
  }
  bool at_udp = vnet.csum_start == ETHERNET_BYTES + ip_bytes && vnet.csum_offset == 6;
  return at_udp && get16(ip + ip_bytes + 4) == length - ETHERNET_BYTES - ip_bytes ? ETHERNET_BYTES + ip_bytes + 8 : 0;
}

/* Whether two frames of equal header length belong to one train; lengths are compared by the caller. */
static bool is_same_flow(const uint8_t *a, const uint8_t *b, int header) {
  const uint8_t *ip = b + ETHERNET_BYTES;
  if (memcmp(a, b, ETHERNET_BYTES) != 0 || memcmp(a + header - 8, b + header - 8, 4) != 0) return false;
  a += ETHERNET_BYTES;
  if (header == ETHERNET_BYTES + 40 + 8) return memcmp(a, ip, 4) == 0 && memcmp(a + 6, ip + 6, 34) == 0;
  return a[1] == ip[1] && a[8] == ip[8] && memcmp(a + 12, ip + 12, 8) == 0;
}

/* How many frames from `at` on make a train, 1 if none; *header gets the bytes before the payload. */
static int find_train(const struct outgoing *out, int at, int *header) {
  const uint8_t *first = out->arena + out->offsets[at];
  int32_t length = out->lengths[at];
  if (out->count - at < MIN_TRAIN || (*header = train_header_bytes(first, length)) == 0) return 1;
  int count = 1;
  int32_t total = length;
  for (int i = at + 1; i < out->count; i++, count++) {
    const uint8_t *next = out->arena + out->offsets[i];
    int32_t next_length = out->lengths[i];
    total += next_length - *header;
    if (next_length > length || total > 65535 || train_header_bytes(next, next_length) != *header ||
        !is_same_flow(first, next, *header))
      break;
    if (next_length < length) return count + 1;
  }
  return count;
}

/* The header of the large frame: that of the first datagram with the lengths and sums of all. */
static void write_train_header(uint8_t *to, const uint8_t *first, int header, int payload, int segment) {
  memcpy(to, first - VNET_HEADER_BYTES, (size_t)(VNET_HEADER_BYTES + header));
  struct virtio_net_hdr vnet = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .gso_type = 5 /* UDP_L4, Linux 6.2 */,
                                .hdr_len = (uint16_t)header, .gso_size = (uint16_t)segment,
                                .csum_start = (uint16_t)(header - 8), .csum_offset = 6};
  memcpy(to, &vnet, VNET_HEADER_BYTES);
  uint8_t *ip = to + VNET_HEADER_BYTES + ETHERNET_BYTES, *udp = to + VNET_HEADER_BYTES + header - 8;
  uint16_t udp_bytes = (uint16_t)(payload + 8);
  if (header == ETHERNET_BYTES + 20 + 8) {
    put16(ip + 2, (uint16_t)(udp_bytes + 20));
    put16(ip + 10, 0);
    put16(ip + 10, (uint16_t)~fold(sum16(ip, 20, 0)));
    put16(udp + 6, fold(sum16(ip + 12, 8, (uint32_t)IPPROTO_UDP + udp_bytes)));
  } else {
    put16(ip + 4, udp_bytes);
    put16(udp + 6, fold(sum16(ip + 8, 32, (uint32_t)IPPROTO_UDP + udp_bytes)));
  }
  put16(udp + 4, udp_bytes);
}

static void add_vector(int at, uint8_t *base, int32_t length) {
  vectors[at] = (struct iovec){base, (size_t)length};
}

/* Fills messages[] from frame `done` on; returns how many. */
static int prepare(const struct outgoing *out, int done) {
  bool with_trains = !atomic_load_explicit(&trains_refused, memory_order_relaxed);
  int count = 0, used = 0, trains = 0;
  for (int at = done; at < out->count && at - done < MAX_BATCH; count++) {
    int header = 0, frames = with_trains ? find_train(out, at, &header) : 1;
    if (frames > MAX_BATCH - (at - done)) frames = 1;
    struct message *message = &messages[count];
    *message = (struct message){.frames = frames < MIN_TRAIN ? 1 : frames, .from = used};
    if (frames < MIN_TRAIN) {
      add_vector(used++, out->arena + out->offsets[at] - VNET_HEADER_BYTES, VNET_HEADER_BYTES + out->lengths[at]);
    } else {
      uint8_t *train = train_headers[trains++];
      int32_t payload = 0;
      add_vector(used++, train, VNET_HEADER_BYTES + header);
      for (int i = at; i < at + frames; i++) {
        add_vector(used++, out->arena + out->offsets[i] + header, out->lengths[i] - header);
        payload += out->lengths[i] - header;
      }
      write_train_header(train, out->arena + out->offsets[at], header, payload, out->lengths[at] - header);
    }
    message->vectors = used - message->from;
    at += message->frames;
  }
  return count;
}

/* Sends messages [at, count); how many were taken, or -1 with errno. */
static int transmit(const struct outgoing *out, int at, int count) {
  if (out->is_tap) {
    const struct iovec *first = &vectors[messages[at].from];
    int parts = messages[at].vectors;
    ssize_t put = parts == 1 ? write(out->fd, first->iov_base, first->iov_len) : writev(out->fd, first, parts);
    return put < 0 ? -1 : 1;
  }
  int index = out->fd < MAX_SENDERS ? atomic_load_explicit(&senders[out->fd], memory_order_relaxed) : 0;
  struct sockaddr_ll by = {.sll_family = AF_PACKET, .sll_ifindex = index};
  for (int i = at; i < count; i++) {
    headers[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[messages[i].from], .msg_iovlen = (size_t)messages[i].vectors};
    if (index == 0) continue;
    headers[i].msg_hdr.msg_name = &by;
    headers[i].msg_hdr.msg_namelen = sizeof by;
  }
  return sendmmsg(out->fd, &headers[at], (unsigned)(count - at), MSG_DONTWAIT);
}

/* Whether the kernel may have to cut the message up. */
static bool is_large(const struct message *message) {
  struct virtio_net_hdr vnet;
  memcpy(&vnet, vectors[message->from].iov_base, VNET_HEADER_BYTES);
  return vnet.gso_type != VIRTIO_NET_HDR_GSO_NONE;
}

/* After ENOBUFS for a large message: changes between the direct way and the queue. True if it is to be sent again. */
static bool change_way(int fd) {
  int is_direct = 0;
  socklen_t size = sizeof is_direct;
  if (getsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &is_direct, &size) < 0) return false;
  int wanted = !is_direct;
  return setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &wanted, sizeof wanted) == 0 && is_direct;
}

int send_frames(struct outgoing *out) {
  int done = 0, at = 0, count = 0;
  while (done < out->count) {
    if (at == count) {
      count = prepare(out, done);
      at = 0;
    }
    int sent = transmit(out, at, count), error = errno;
    for (int i = 0; i < sent; i++) done += messages[at++].frames;
    if (sent > 0 || error == EINTR) continue;
    if (error == EAGAIN) break;
    if (error == ENOBUFS && !out->is_tap && is_large(&messages[at]) && change_way(out->fd)) continue;
    if (messages[at].frames > 1 && (error == EINVAL || error == EOPNOTSUPP)) {
      atomic_store(&trains_refused, true);
      count = at; /* once more from here, frame by frame */
      continue;
    }
    /* A frame that the kernel finds wrong must not block those behind it. */
    out->refused += messages[at].frames;
    out->last_error = error;
    done += messages[at++].frames;
  }
  return done;
}
