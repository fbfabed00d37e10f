/*
 * What the C files of the addon share.
 *
 * Each file exports plain functions over integers and buffers; addon.c lists them. Nothing here holds state between
 * calls but the files' own descriptors, so the addon may be loaded by the main thread and by workers at once. Code that
 * runs on a thread of its own (netns.c) must not touch napi_env: it fills a `struct failure`, thrown by the caller.
 */
#ifndef SLUICE_NATIVE_H
#define SLUICE_NATIVE_H

#include <errno.h>
#include <node_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The virtio-net header that precedes every Ethernet frame, on TAP and on AF_PACKET. */
#define VNET_HEADER_BYTES 10
/* What a slot keeps free before its frame; a frame takes at most stride - SLOT_HEADROOM bytes. */
#define SLOT_HEADROOM 64
#define MAX_BATCH 64

enum port_kind { PORT_TAP = 0, PORT_PACKET = 1 };

/* A system call that failed: enough to word the Error later. */
struct failure {
  const char *syscall;
  char subject[288];
  int error;
  const char *hint; /* NULL: the hint that goes with the errno */
};

/* Records a failure with the current errno; always returns -1. */
int fail(struct failure *failure, const char *syscall, const char *subject, const char *hint);
/* Throws `syscall subject: CODE: hint` with .code, .errno and .syscall; returns NULL. */
napi_value throw_failure(napi_env env, const struct failure *failure);
napi_value throw_errno(napi_env env, const char *syscall, const char *subject, int error);
/* The Error that throw_failure() would throw. */
napi_value make_error(napi_env env, const struct failure *failure);

/* Arguments. Each returns false after throwing a TypeError or RangeError that names the argument. */
bool read_args(napi_env env, napi_callback_info info, size_t wanted, napi_value *args);
bool arg_int(napi_env env, napi_value value, const char *name, int64_t min, int64_t max, int64_t *out);
bool arg_fd(napi_env env, napi_value value, int *out);
bool arg_string(napi_env env, napi_value value, const char *name, char *out, size_t capacity);
/* As arg_string, but undefined or null give an empty string. */
bool arg_optional_string(napi_env env, napi_value value, const char *name, char *out, size_t capacity);
bool arg_bool(napi_env env, napi_value value, bool *out);
bool arg_bytes(napi_env env, napi_value value, const char *name, uint8_t **out, size_t *length);
bool arg_int32s(napi_env env, napi_value value, const char *name, int32_t **out, size_t *length);

napi_value make_int(napi_env env, int64_t value);
napi_value make_double(napi_env env, double value);
napi_value make_bytes(napi_env env, const void *bytes, size_t length);
void set_int(napi_env env, napi_value object, const char *name, int64_t value);

/* netns.c: runs `work(argument, failure)` on a thread inside the named namespace ("" = here); 0 or -1. */
typedef int (*netns_work)(void *argument, struct failure *failure);
int run_in_netns(const char *netns, netns_work work, void *argument, struct failure *failure);

/* packet-ring.c: the receive ring that goes with an AF_PACKET descriptor. Used by one thread at a time. */
struct packet_ring {
  uint8_t *base;
  size_t bytes;
  uint32_t slots, head;
  uint32_t *noted_head; /* the same in the ring itself, for the reader that comes after this one */
  bool has_error; /* epoll saw an error on the socket: SO_ERROR is to be read */
  int error;      /* errno that a call on the socket ran into, not told yet */
};
struct tpacket2_hdr;
/* Gives the socket a ring; 0 or -1. */
int ring_request(int fd, uint32_t bytes, struct failure *failure);
/* Maps the ring of that size into this process; frames thrown away that had waited longer than max_age_ms, or -1. */
int ring_map(int fd, uint32_t bytes, int32_t max_age_ms, struct failure *failure);
/* Takes the mapping away from its descriptor, for ring_unmap(); NULL when there is none. */
struct packet_ring *ring_take(int fd);
void ring_unmap(struct packet_ring *ring);
struct packet_ring *ring_of(int fd);
struct tpacket2_hdr *ring_head(const struct packet_ring *ring);
uint32_t ring_status(const struct tpacket2_hdr *header);
/* The errno to be told once the ring is empty, 0 if all is well; it is told once. */
int ring_take_error(struct packet_ring *ring, int fd);
void ring_release(struct packet_ring *ring, struct tpacket2_hdr *header);

/* send.c: a list of frames that lie within the arena (checked), and what became of them. */
struct outgoing {
  int fd;
  bool is_tap;
  uint8_t *arena;
  const int32_t *offsets, *lengths;
  int count;
  int refused, last_error; /* frames that the kernel would not have, errno of the last */
};
/* Frames done with, taken or refused; fewer than count when the kernel is full. */
int send_frames(struct outgoing *out);

/* Every exported function. */
#define EXPORTS(X)                                                                                                     \
  X(mapFile, map_file)                                                                                                 \
  X(reserveFile, reserve_file)                                                                                         \
  X(unmapFile, unmap_file)                                                                                             \
  X(openTap, open_tap)                                                                                                 \
  X(isTapThere, is_tap_there)                                                                                          \
  X(openPacket, open_packet)                                                                                           \
  X(openSocket, open_socket)                                                                                           \
  X(mapRing, map_ring)                                                                                                 \
  X(boundIndex, bound_index)                                                                                           \
  X(packetDrops, packet_drops)                                                                                         \
  X(interfaceInfo, interface_info)                                                                                     \
  X(disableOffloads, disable_offloads)                                                                                 \
  X(receiveBatch, receive_batch)                                                                                       \
  X(sendBatch, send_batch)                                                                                             \
  X(truncatedFrames, truncated_frames)                                                                                 \
  X(pollerCreate, poller_create)                                                                                       \
  X(pollerAdd, poller_add)                                                                                             \
  X(pollerRemove, poller_remove)                                                                                       \
  X(pollerWait, poller_wait)                                                                                           \
  X(eventfd, event_create)                                                                                             \
  X(eventfdSignal, event_signal)                                                                                       \
  X(eventfdDrain, event_drain)                                                                                         \
  X(closeFd, close_fd)                                                                                                 \
  X(closeFdBeside, close_fd_beside)                                                                                    \
  X(openInetSocket, open_inet_socket)                                                                                   \
  X(connectDatagrams, connect_datagrams)                                                                                \
  X(beginConnect, begin_connect_stream)                                                                                \
  X(endConnect, end_connect_stream)                                                                                    \
  X(openPipe, open_pipe)                                                                                               \
  X(receiveDatagrams, receive_datagrams)                                                                                \
  X(sendDatagrams, send_datagrams)                                                                                      \
  X(watchReadable, watch_readable)                                                                                      \
  X(watchWritable, watch_writable)                                                                                      \
  X(endWatch, end_watch)                                                                                                \
  X(unixListen, unix_listen)                                                                                           \
  X(unixAccept, unix_accept)                                                                                           \
  X(unixConnect, unix_connect)                                                                                         \
  X(sendFds, send_fds)                                                                                                 \
  X(tellUnix, tell_unix)                                                                                               \
  X(recvFds, recv_fds)                                                                                                 \
  X(waitReadable, wait_readable)                                                                                       \
  X(openNetlink, open_netlink)                                                                                         \
  X(netlinkSend, netlink_send)                                                                                         \
  X(netlinkReceive, netlink_receive)                                                                                   \
  X(sendBy, send_by)                                                                                                   \
  X(netTable, net_table)                                                                                               \
  X(setNetns, set_netns)                                                                                               \
  X(monotonicMs, monotonic_ms)                                                                                         \
  X(monotonicSec, monotonic_sec)                                                                                       \
  X(getrusageSelf, getrusage_self)                                                                                     \
  X(getrusageThread, getrusage_thread)

#define DECLARE(js_name, c_name) napi_value c_name(napi_env env, napi_callback_info info);
EXPORTS(DECLARE)
#undef DECLARE

#endif
