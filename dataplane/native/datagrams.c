/*
 * Bursts of UDP datagrams: one system call for up to 64 of them. Datagram i lies in slot i of an arena (bytes from i * stride on),
 * its length in lengths[i], and the address of its peer in the 28 bytes of peers from i * PEER_BYTES on, as the kernel wrote it;
 * an answer needs only these bytes back.
 */
#include "native.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define PEER_BYTES 28 /* struct sockaddr_in6, the longer of both */

struct burst {
  int fd;
  uint8_t *arena, *peers;
  int64_t stride, count;
  int32_t *lengths;
};

/* (fd, arena, stride, count, lengths, peers) */
static bool arg_burst(napi_env env, napi_callback_info info, struct burst *burst) {
  napi_value args[6];
  size_t arena_bytes, lengths, peer_bytes;
  if (!read_args(env, info, 6, args) || !arg_fd(env, args[0], &burst->fd) ||
      !arg_bytes(env, args[1], "arena", &burst->arena, &arena_bytes) ||
      !arg_int(env, args[2], "stride", 1, 65536, &burst->stride) ||
      !arg_int(env, args[3], "count", 0, MAX_BATCH, &burst->count) ||
      !arg_int32s(env, args[4], "lengths", &burst->lengths, &lengths) ||
      !arg_bytes(env, args[5], "peers", &burst->peers, &peer_bytes))
    return false;
  if ((size_t)(burst->stride * burst->count) <= arena_bytes && (size_t)burst->count <= lengths &&
      (size_t)burst->count * PEER_BYTES <= peer_bytes)
    return true;
  napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "count: wanted no more slots than arena, lengths and peers have");
  return false;
}

/* receiveDatagrams(...): datagrams, -errno; a length of -1 = it was longer than its slot */
napi_value receive_datagrams(napi_env env, napi_callback_info info) {
  struct burst burst;
  struct mmsghdr messages[MAX_BATCH];
  struct iovec slots[MAX_BATCH];
  if (!arg_burst(env, info, &burst)) return NULL;
  for (int64_t i = 0; i < burst.count; i++) {
    slots[i] = (struct iovec){burst.arena + i * burst.stride, burst.stride};
    messages[i].msg_hdr = (struct msghdr){
        .msg_name = burst.peers + i * PEER_BYTES, .msg_namelen = PEER_BYTES, .msg_iov = &slots[i], .msg_iovlen = 1};
  }
  int got = recvmmsg(burst.fd, messages, burst.count, MSG_DONTWAIT, NULL);
  if (got < 0) return make_int(env, errno == EAGAIN || errno == EINTR ? 0 : -errno);
  for (int i = 0; i < got; i++)
    burst.lengths[i] = messages[i].msg_hdr.msg_flags & MSG_TRUNC ? -1 : (int32_t)messages[i].msg_len;
  return make_int(env, got);
}

static socklen_t peer_length(const uint8_t *peer) {
  sa_family_t family;
  memcpy(&family, peer, sizeof family);
  return family == AF_INET ? sizeof(struct sockaddr_in) : family == AF_INET6 ? sizeof(struct sockaddr_in6) : 0;
}

/* sendDatagrams(...): how many went out; a slot with a length of 0 or less is passed over, a zeroed peer is the connected one */
napi_value send_datagrams(napi_env env, napi_callback_info info) {
  struct burst burst;
  struct mmsghdr messages[MAX_BATCH];
  struct iovec slots[MAX_BATCH];
  if (!arg_burst(env, info, &burst)) return NULL;
  int count = 0, taken = 0, sent = 0;
  for (int64_t i = 0; i < burst.count; i++) {
    if (burst.lengths[i] <= 0 || burst.lengths[i] > burst.stride) continue;
    uint8_t *peer = burst.peers + i * PEER_BYTES;
    socklen_t length = peer_length(peer);
    slots[count] = (struct iovec){burst.arena + i * burst.stride, burst.lengths[i]};
    messages[count].msg_hdr = (struct msghdr){
        .msg_name = length ? peer : NULL, .msg_namelen = length, .msg_iov = &slots[count], .msg_iovlen = 1};
    count++;
  }
  while (taken < count) {
    int done = sendmmsg(burst.fd, messages + taken, count - taken, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (done > 0) sent += done;
    if (done < 0 && errno == EINTR) continue;
    if (done < 0 && errno == EAGAIN) break; /* no room: as lost on the way */
    taken += done > 0 ? done : 1;           /* the one that the kernel refuses is passed over */
  }
  return make_int(env, sent);
}
