/*
 * The receive ring of an AF_PACKET socket (TPACKET_V2): memory that the kernel writes arriving frames into, so that
 * taking a small frame is a copy of its bytes and no system call.
 *
 *   block of 64 KiB:  | slot 1728 | slot | slot ... 37 of them | rest |
 *   slot:             | tpacket2_hdr .. sockaddr_ll .. virtio-net header 10 | Ethernet frame, at most about 1640 bytes |
 *                                                                           ^ tp_mac
 *
 * A frame that does not fit its slot (a large TCP segment) waits in the socket's queue beside, in the order of the slots;
 * its slot says so (TP_STATUS_COPY, by PACKET_COPY_THRESH) and it is fetched by one recv(). So large frames cost what they
 * always did, and small ones 40 ns instead of 800 (bench of the port loop). The slot size fits MTU 1500 and is an odd
 * multiple of 64, so that successive headers fall into different cache sets.
 *
 * The ring outlives the process that reads it, as long as another holds the socket: the agent opens it and maps nothing, the
 * dataplane maps it, and so does the next one. Where to read on is noted in the ring itself, in the rest of its first block,
 * before the slot is given back; a reader that died between the two leaves a slot that the next one gives back (find_head).
 * What has waited too long for a reader is thrown away: its sender has long sent it again.
 */
#include "native.h"

#include <linux/if_packet.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

#define BLOCK_BYTES 65536
#define SLOT_BYTES 1728
#define SLOTS_PER_BLOCK (BLOCK_BYTES / SLOT_BYTES)
#define MAX_RINGS 65536 /* descriptors above that cannot have one */

static _Atomic(struct packet_ring *) rings[MAX_RINGS];

struct packet_ring *ring_of(int fd) {
  return fd < MAX_RINGS ? atomic_load_explicit(&rings[fd], memory_order_acquire) : NULL;
}

static uint32_t blocks_of(uint32_t bytes) { return (bytes + BLOCK_BYTES - 1) / BLOCK_BYTES; }

int ring_request(int fd, uint32_t bytes, struct failure *failure) {
  uint32_t blocks = blocks_of(bytes);
  struct tpacket_req request = {.tp_block_size = BLOCK_BYTES,
                                .tp_block_nr = blocks,
                                .tp_frame_size = SLOT_BYTES,
                                .tp_frame_nr = blocks * SLOTS_PER_BLOCK};
  int version = TPACKET_V2, threshold = 1;
  if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) < 0)
    return fail(failure, "setsockopt", "PACKET_VERSION", NULL);
  if (setsockopt(fd, SOL_PACKET, PACKET_COPY_THRESH, &threshold, sizeof threshold) < 0)
    return fail(failure, "setsockopt", "PACKET_COPY_THRESH", NULL);
  if (setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) < 0)
    return fail(failure, "setsockopt", "PACKET_RX_RING", NULL);
  return 0;
}

static struct tpacket2_hdr *slot_at(const struct packet_ring *ring, uint32_t index) {
  uint32_t block = index / SLOTS_PER_BLOCK, slot = index % SLOTS_PER_BLOCK;
  return (struct tpacket2_hdr *)(ring->base + (size_t)block * BLOCK_BYTES + (size_t)slot * SLOT_BYTES);
}

static bool is_filled(const struct packet_ring *ring, uint32_t index) {
  return ring_status(slot_at(ring, index)) & TP_STATUS_USER;
}

/* Where the reader before left off. The slot before is filled in a full ring, or when that reader died as it gave it back. */
static void find_head(struct packet_ring *ring) {
  uint32_t noted = *ring->noted_head, filled = 0;
  ring->head = noted < ring->slots ? noted : 0;
  uint32_t before = ring->head == 0 ? ring->slots - 1 : ring->head - 1;
  if (!is_filled(ring, before)) return;
  for (uint32_t i = 0; i < ring->slots; i++) filled += is_filled(ring, i);
  if (filled < ring->slots) __atomic_store_n(&slot_at(ring, before)->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
}

static bool is_stale(const struct tpacket2_hdr *header, int32_t max_age_ms) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  int64_t age_ms = ((int64_t)now.tv_sec - header->tp_sec) * 1000 + (now.tv_nsec - (int64_t)header->tp_nsec) / 1000000;
  return age_ms > max_age_ms;
}

static uint32_t drop_stale(int fd, struct packet_ring *ring, int32_t max_age_ms) {
  uint32_t dropped = 0;
  for (; dropped < ring->slots && is_filled(ring, ring->head) && is_stale(ring_head(ring), max_age_ms); dropped++) {
    struct tpacket2_hdr *header = ring_head(ring);
    if (ring_status(header) & TP_STATUS_COPY) recv(fd, NULL, 0, MSG_DONTWAIT | MSG_TRUNC); /* it waits in the queue beside */
    ring_release(ring, header);
  }
  return dropped;
}

void ring_unmap(struct packet_ring *ring) {
  if (!ring) return;
  munmap(ring->base, ring->bytes);
  free(ring);
}

int ring_map(int fd, uint32_t bytes, int32_t max_age_ms, struct failure *failure) {
  if (fd >= MAX_RINGS) {
    errno = EMFILE;
    return fail(failure, "mmap", "packet ring", "too many open files in this process");
  }
  struct packet_ring *ring = calloc(1, sizeof *ring);
  if (!ring) return fail(failure, "malloc", "packet ring", NULL);
  ring->bytes = (size_t)blocks_of(bytes) * BLOCK_BYTES;
  ring->slots = blocks_of(bytes) * SLOTS_PER_BLOCK;
  ring->base = mmap(NULL, ring->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (ring->base == MAP_FAILED) {
    fail(failure, "mmap", "packet ring", errno == EINVAL ? "the socket has no ring of that size" : NULL);
    free(ring);
    return -1;
  }
  ring->noted_head = (uint32_t *)(ring->base + BLOCK_BYTES - sizeof(uint32_t));
  find_head(ring);
  int dropped = (int)drop_stale(fd, ring, max_age_ms);
  ring_unmap(atomic_exchange(&rings[fd], ring));
  return dropped;
}

struct packet_ring *ring_take(int fd) {
  return fd < MAX_RINGS ? atomic_exchange(&rings[fd], NULL) : NULL;
}

struct tpacket2_hdr *ring_head(const struct packet_ring *ring) { return slot_at(ring, ring->head); }

uint32_t ring_status(const struct tpacket2_hdr *header) {
  return __atomic_load_n(&header->tp_status, __ATOMIC_ACQUIRE);
}

void ring_release(struct packet_ring *ring, struct tpacket2_hdr *header) {
  ring->head = ring->head + 1 == ring->slots ? 0 : ring->head + 1;
  __atomic_store_n(ring->noted_head, ring->head, __ATOMIC_RELEASE);
  __atomic_store_n(&header->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
}

int ring_take_error(struct packet_ring *ring, int fd) {
  int error = ring->error;
  socklen_t size = sizeof error;
  /* Reading takes it away: an error left standing would keep epoll from ever sleeping. */
  if (ring->has_error && error == 0) getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  ring->has_error = false;
  ring->error = 0;
  return error;
}
