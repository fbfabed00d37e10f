/*
 * Bursts of frames between the kernel and the arena.
 *
 *   arena:   ... | headroom .. vnet header (10) | Ethernet frame ............ | headroom .. | frame of the next slot
 *                                               ^ first + i * stride
 *
 * Every offset comes from JS and is checked against the arena before the kernel sees it. The frame's length is what was
 * received without the virtio-net header.
 *
 * AF_PACKET takes VLAN tags off the frame and tells of them in the ring's slot; they are put back, so that a tagged frame
 * looks tagged to the parser and no EtherType hides. A frame that is longer than its slot of the arena, or that the
 * kernel had no room to keep, is thrown away and counted.
 */
#include "native.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define VLAN_TAG_BYTES 4

struct window {
  uint8_t *first; /* Ethernet header of the first slot */
  size_t stride;
  int frames;
  int64_t budget; /* bytes */
  int32_t *lengths;
};

static atomic_llong truncated;

static uint8_t *slot(const struct window *window, int index) { return window->first + (size_t)index * window->stride; }
static size_t slot_bytes(const struct window *window) { return window->stride - SLOT_HEADROOM; }

/* The errors after which waiting for more frames is no use until somebody repairs the interface. */
static bool is_dead(int error) { return error != EAGAIN && error != EINTR && error != ENOBUFS; }

static int receive_tap(int fd, const struct window *window) {
  int count = 0;
  for (int64_t bytes = 0; count < window->frames && bytes < window->budget;) {
    ssize_t got = read(fd, slot(window, count) - VNET_HEADER_BYTES, VNET_HEADER_BYTES + slot_bytes(window));
    if (got < 0) {
      if (errno == EINTR) continue;
      return count > 0 || !is_dead(errno) ? count : -errno;
    }
    if (got < VNET_HEADER_BYTES) return count > 0 ? count : -EIO; /* 0: the device is being removed */
    window->lengths[count++] = (int32_t)(got - VNET_HEADER_BYTES);
    bytes += got;
  }
  return count;
}

/* Puts a VLAN tag back behind the addresses; returns the new length. */
static ssize_t insert_vlan_tag(uint8_t *frame, ssize_t length, uint16_t tpid, uint16_t tci) {
  struct virtio_net_hdr header;
  memmove(frame + 12 + VLAN_TAG_BYTES, frame + 12, (size_t)length - 12);
  frame[12] = (uint8_t)(tpid >> 8);
  frame[13] = (uint8_t)tpid;
  frame[14] = (uint8_t)(tci >> 8);
  frame[15] = (uint8_t)tci;
  memcpy(&header, frame - VNET_HEADER_BYTES, VNET_HEADER_BYTES);
  if (header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) header.csum_start += VLAN_TAG_BYTES;
  if (header.gso_type != VIRTIO_NET_HDR_GSO_NONE) header.hdr_len += VLAN_TAG_BYTES;
  memcpy(frame - VNET_HEADER_BYTES, &header, VNET_HEADER_BYTES);
  return length + VLAN_TAG_BYTES;
}

/*
 * Fetches the large frame that a slot stands for. The queue has the order of the slots; should a frame in it have lost
 * its slot, it is skipped, so that no slot is ever given another's frame. Its length, or -1.
 */
static ssize_t fetch_queued(int fd, struct packet_ring *ring, ssize_t wanted, uint8_t *frame, size_t capacity) {
  for (int failures = 0; failures < 4;) {
    struct iovec vector = {frame - VNET_HEADER_BYTES, VNET_HEADER_BYTES + capacity};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT | MSG_TRUNC); /* answers the whole length, cut or not */
    if (got - VNET_HEADER_BYTES == wanted) return message.msg_flags & MSG_TRUNC ? -1 : wanted;
    if (got >= 0) continue;
    if (errno == EAGAIN) break;
    if (errno != EINTR) ring->error = errno; /* the interface went down meanwhile; the frame is still there */
    failures++;
  }
  return -1;
}

/* Copies the frame of a ring slot, or fetches the one it stands for. Its length, or -1 if it is not to be had whole. */
static ssize_t take_frame(int fd, struct packet_ring *ring, const struct tpacket2_hdr *header, uint8_t *frame,
                          size_t capacity) {
  uint32_t status = header->tp_status;
  ssize_t length = header->tp_snaplen;
  if (status & TP_STATUS_COPY) {
    length = fetch_queued(fd, ring, header->tp_len, frame, capacity);
    if (length < 0) return -1;
  } else {
    if (header->tp_len > header->tp_snaplen || (size_t)length > capacity || header->tp_mac < VNET_HEADER_BYTES) return -1;
    memcpy(frame - VNET_HEADER_BYTES, (const uint8_t *)header + header->tp_mac - VNET_HEADER_BYTES,
           VNET_HEADER_BYTES + (size_t)length);
  }
  if (!(status & TP_STATUS_VLAN_VALID) || length < 12) return length;
  if ((size_t)length + VLAN_TAG_BYTES > capacity) return -1;
  uint16_t tpid = status & TP_STATUS_VLAN_TPID_VALID ? header->tp_vlan_tpid : ETH_P_8021Q;
  return insert_vlan_tag(frame, length, tpid, header->tp_vlan_tci);
}

static int receive_packets(int fd, const struct window *window) {
  struct packet_ring *ring = ring_of(fd);
  int count = 0;
  if (!ring) return -EBADF;
  for (int64_t bytes = 0; count < window->frames && bytes < window->budget;) {
    struct tpacket2_hdr *header = ring_head(ring);
    if (!(ring_status(header) & TP_STATUS_USER)) break;
    ssize_t length = take_frame(fd, ring, header, slot(window, count), slot_bytes(window));
    ring_release(ring, header);
    if (length < 0) {
      atomic_fetch_add_explicit(&truncated, 1, memory_order_relaxed);
      continue;
    }
    window->lengths[count++] = (int32_t)length;
    bytes += length;
  }
  return count > 0 ? count : -ring_take_error(ring, fd);
}

static bool out_of_range(napi_env env, const char *message) {
  napi_throw_range_error(env, "ERR_OUT_OF_RANGE", message);
  return false;
}

/* receiveBatch(fd, kind, arena, firstOffset, stride, maxFrames, byteBudget, lengths, lengthsFrom) */
static bool read_window(napi_env env, napi_value *args, struct window *window) {
  uint8_t *arena;
  size_t arena_bytes, entries;
  int64_t first, stride, frames, from;
  if (!arg_bytes(env, args[2], "arena", &arena, &arena_bytes) ||
      !arg_int(env, args[3], "firstOffset", VNET_HEADER_BYTES, INT32_MAX, &first) ||
      !arg_int(env, args[4], "stride", 2 * SLOT_HEADROOM, INT32_MAX, &stride) ||
      !arg_int(env, args[5], "maxFrames", 1, MAX_BATCH, &frames) ||
      !arg_int(env, args[6], "byteBudget", 1, INT32_MAX, &window->budget) ||
      !arg_int32s(env, args[7], "lengths", &window->lengths, &entries) ||
      !arg_int(env, args[8], "lengthsFrom", 0, INT32_MAX, &from))
    return false;
  if ((uint64_t)first + (uint64_t)((frames - 1) * stride) + (uint64_t)(stride - SLOT_HEADROOM) > arena_bytes)
    return out_of_range(env, "receiveBatch: the slots reach beyond the end of the arena");
  if ((uint64_t)from + (uint64_t)frames > entries) return out_of_range(env, "receiveBatch: lengths is too short for maxFrames");
  window->first = arena + first;
  window->stride = (size_t)stride;
  window->frames = (int)frames;
  window->lengths += from;
  return true;
}

napi_value receive_batch(napi_env env, napi_callback_info info) {
  napi_value args[9];
  int fd;
  int64_t kind;
  struct window window;
  if (!read_args(env, info, 9, args) || !arg_fd(env, args[0], &fd) ||
      !arg_int(env, args[1], "kind", PORT_TAP, PORT_PACKET, &kind) || !read_window(env, args, &window))
    return NULL;
  return make_int(env, kind == PORT_TAP ? receive_tap(fd, &window) : receive_packets(fd, &window));
}

static bool check_frames(napi_env env, size_t arena_bytes, const int32_t *offsets, const int32_t *lengths, int count) {
  for (int i = 0; i < count; i++)
    if (offsets[i] < VNET_HEADER_BYTES || lengths[i] < 0 || (uint64_t)offsets[i] + (uint64_t)lengths[i] > arena_bytes)
      return out_of_range(env, "sendBatch: a frame reaches beyond the arena");
  return true;
}

/* sendBatch(fd, kind, arena, offsets, lengths, first, count, outcome): frames done with (taken or refused) */
napi_value send_batch(napi_env env, napi_callback_info info) {
  napi_value args[8];
  int fd;
  int64_t kind, first, count;
  uint8_t *arena;
  int32_t *offsets, *lengths, *outcome;
  size_t arena_bytes, offset_entries, length_entries, outcome_entries;
  if (!read_args(env, info, 8, args) || !arg_fd(env, args[0], &fd) ||
      !arg_int(env, args[1], "kind", PORT_TAP, PORT_PACKET, &kind) ||
      !arg_bytes(env, args[2], "arena", &arena, &arena_bytes) ||
      !arg_int32s(env, args[3], "offsets", &offsets, &offset_entries) ||
      !arg_int32s(env, args[4], "lengths", &lengths, &length_entries) ||
      !arg_int(env, args[5], "first", 0, INT32_MAX, &first) || !arg_int(env, args[6], "count", 0, INT32_MAX, &count) ||
      !arg_int32s(env, args[7], "outcome", &outcome, &outcome_entries))
    return NULL;
  uint64_t end = (uint64_t)first + (uint64_t)count;
  if (end > offset_entries || end > length_entries || outcome_entries < 2) {
    out_of_range(env, "sendBatch: offsets, lengths or outcome is too short");
    return NULL;
  }
  if (!check_frames(env, arena_bytes, offsets + first, lengths + first, (int)count)) return NULL;
  struct outgoing frames = {.fd = fd, .is_tap = kind == PORT_TAP, .arena = arena, .offsets = offsets + first,
                            .lengths = lengths + first, .count = (int)count};
  int done = send_frames(&frames);
  outcome[0] = frames.refused;
  outcome[1] = frames.last_error;
  return make_int(env, done);
}

/* truncatedFrames(): frames of this process thrown away on receipt because they could not be had whole */
napi_value truncated_frames(napi_env env, napi_callback_info info) {
  (void)info;
  return make_int(env, atomic_load_explicit(&truncated, memory_order_relaxed));
}
