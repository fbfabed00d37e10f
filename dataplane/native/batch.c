/*
 * Bursts of frames between the kernel and the arena.
 *
 *   arena:   ... | headroom .. vnet header (10) | Ethernet frame ............ | headroom .. | frame of the next slot
 *                                               ^ first + i * stride
 *
 * Every offset comes from JS and is checked against the arena before the kernel sees it. The frame's length is what was
 * received without the virtio-net header.
 *
 * AF_PACKET takes VLAN tags off the frame and tells of them in a control message; they are put back, so that a tagged
 * frame looks tagged to the parser and no EtherType hides. A frame longer than a slot is thrown away and counted.
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
#define CONTROL_BYTES CMSG_SPACE(sizeof(struct tpacket_auxdata))
/* recvmmsg starts with this many and goes on with more only while frames turn out small. */
#define FIRST_CHUNK 4

struct window {
  uint8_t *first; /* Ethernet header of the first slot */
  size_t stride;
  int frames;
  int64_t budget; /* bytes */
  int32_t *lengths;
};

static atomic_llong truncated;

static __thread struct mmsghdr messages[MAX_BATCH];
static __thread struct iovec vectors[MAX_BATCH];
static __thread uint8_t controls[MAX_BATCH][CONTROL_BYTES] __attribute__((aligned(8)));

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
static size_t insert_vlan_tag(uint8_t *frame, size_t length, uint16_t tpid, uint16_t tci) {
  struct virtio_net_hdr header;
  memmove(frame + 12 + VLAN_TAG_BYTES, frame + 12, length - 12);
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

/* Length of the received frame after repairs, or -1 if it is not whole. */
static int64_t finish_frame(uint8_t *frame, struct mmsghdr *message, size_t capacity) {
  if (message->msg_len < VNET_HEADER_BYTES || (message->msg_hdr.msg_flags & MSG_TRUNC)) return -1;
  size_t length = message->msg_len - VNET_HEADER_BYTES;
  struct cmsghdr *control = CMSG_FIRSTHDR(&message->msg_hdr);
  if (!control || control->cmsg_level != SOL_PACKET || control->cmsg_type != PACKET_AUXDATA) return (int64_t)length;
  struct tpacket_auxdata extra;
  memcpy(&extra, CMSG_DATA(control), sizeof extra);
  if (!(extra.tp_status & TP_STATUS_VLAN_VALID) || length < 12) return (int64_t)length;
  if (length + VLAN_TAG_BYTES > capacity) return -1;
  uint16_t tpid = extra.tp_status & TP_STATUS_VLAN_TPID_VALID ? extra.tp_vlan_tpid : ETH_P_8021Q;
  return (int64_t)insert_vlan_tag(frame, length, tpid, extra.tp_vlan_tci);
}

static void prepare_receive(const struct window *window, int at, int count) {
  for (int i = 0; i < count; i++) {
    vectors[i].iov_base = slot(window, at + i) - VNET_HEADER_BYTES;
    vectors[i].iov_len = VNET_HEADER_BYTES + slot_bytes(window);
    messages[i].msg_hdr = (struct msghdr){
        .msg_iov = &vectors[i], .msg_iovlen = 1, .msg_control = controls[i], .msg_controllen = CONTROL_BYTES};
  }
}

/* Takes in `got` messages from slot `at` on; frames that are not whole are closed up. Returns the new frame count. */
static int settle(const struct window *window, int at, int got, int64_t *bytes) {
  int count = at;
  for (int i = 0; i < got; i++) {
    uint8_t *frame = slot(window, at + i);
    int64_t length = finish_frame(frame, &messages[i], slot_bytes(window));
    *bytes += messages[i].msg_len;
    if (length < 0) {
      atomic_fetch_add_explicit(&truncated, 1, memory_order_relaxed);
      continue;
    }
    if (count != at + i)
      memcpy(slot(window, count) - VNET_HEADER_BYTES, frame - VNET_HEADER_BYTES, VNET_HEADER_BYTES + (size_t)length);
    window->lengths[count++] = (int32_t)length;
  }
  return count;
}

/* As many messages as the budget allows if frames stay the size they were. */
static int next_chunk(const struct window *window, int count, int64_t bytes) {
  int64_t average = count > 0 ? bytes / count + 1 : window->budget;
  int64_t wanted = (window->budget - bytes) / average + 1;
  if (count == 0) wanted = FIRST_CHUNK;
  return (int)(wanted < window->frames - count ? wanted : window->frames - count);
}

static int receive_packets(int fd, const struct window *window) {
  int count = 0;
  for (int64_t bytes = 0; count < window->frames && bytes < window->budget;) {
    int chunk = next_chunk(window, count, bytes);
    prepare_receive(window, count, chunk);
    int got = recvmmsg(fd, messages, (unsigned)chunk, MSG_DONTWAIT, NULL);
    if (got < 0) {
      if (errno == EINTR) continue;
      return count > 0 || !is_dead(errno) ? count : -errno;
    }
    count = settle(window, count, got, &bytes);
    if (got < chunk) break; /* the queue is empty */
  }
  return count;
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

/* What a flush came to, as JS sees it: outcome[0] frames refused, outcome[1] errno of the last refusal. */
struct outcome {
  int32_t refused, error;
};

/* 1: go on after this frame; 0: the kernel is full. A frame that the kernel finds wrong must not block those behind it. */
static int judge(struct outcome *outcome) {
  if (errno == EAGAIN) return 0;
  outcome->refused++;
  outcome->error = errno;
  return 1;
}

static int send_tap(int fd, uint8_t *arena, const int32_t *offsets, const int32_t *lengths, int count,
                    struct outcome *outcome) {
  int done = 0;
  while (done < count) {
    ssize_t put = write(fd, arena + offsets[done] - VNET_HEADER_BYTES, VNET_HEADER_BYTES + (size_t)lengths[done]);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && !judge(outcome)) break;
    done++;
  }
  return done;
}

static int send_packets(int fd, uint8_t *arena, const int32_t *offsets, const int32_t *lengths, int count,
                        struct outcome *outcome) {
  int done = 0, at = 0, ready = 0; /* messages[at .. ready) are prepared and not yet sent */
  while (done < count) {
    if (at == ready) {
      at = 0;
      ready = count - done < MAX_BATCH ? count - done : MAX_BATCH;
      for (int i = 0; i < ready; i++) {
        vectors[i].iov_base = arena + offsets[done + i] - VNET_HEADER_BYTES;
        vectors[i].iov_len = VNET_HEADER_BYTES + (size_t)lengths[done + i];
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
      }
    }
    int sent = sendmmsg(fd, messages + at, (unsigned)(ready - at), MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && !judge(outcome)) break;
    at += sent < 0 ? 1 : sent;
    done += sent < 0 ? 1 : sent;
  }
  return done;
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
  struct outcome result = {0, 0};
  int done = kind == PORT_TAP ? send_tap(fd, arena, offsets + first, lengths + first, (int)count, &result)
                              : send_packets(fd, arena, offsets + first, lengths + first, (int)count, &result);
  outcome[0] = result.refused;
  outcome[1] = result.error;
  return make_int(env, done);
}

/* truncatedFrames(): frames of this process that were longer than their slot, and thrown away */
napi_value truncated_frames(napi_env env, napi_callback_info info) {
  (void)info;
  return make_int(env, atomic_load_explicit(&truncated, memory_order_relaxed));
}
