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
 * A ring belongs to the process that opened the socket. Who sends the descriptor away sends no ring with it.
 */
#include "native.h"

#include <linux/if_packet.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define BLOCK_BYTES 65536
#define SLOT_BYTES 1728
#define SLOTS_PER_BLOCK (BLOCK_BYTES / SLOT_BYTES)
#define MAX_RINGS 65536 /* descriptors above that cannot have one */

static _Atomic(struct packet_ring *) rings[MAX_RINGS];

struct packet_ring *ring_of(int fd) {
  return fd < MAX_RINGS ? atomic_load_explicit(&rings[fd], memory_order_acquire) : NULL;
}

int ring_create(int fd, uint32_t bytes, struct failure *failure) {
  uint32_t blocks = (bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
  struct tpacket_req request = {.tp_block_size = BLOCK_BYTES,
                                .tp_block_nr = blocks,
                                .tp_frame_size = SLOT_BYTES,
                                .tp_frame_nr = blocks * SLOTS_PER_BLOCK};
  int version = TPACKET_V2, threshold = 1;
  if (fd >= MAX_RINGS) {
    errno = EMFILE;
    return fail(failure, "setsockopt", "PACKET_RX_RING", "too many open files in this process");
  }
  if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) < 0)
    return fail(failure, "setsockopt", "PACKET_VERSION", NULL);
  if (setsockopt(fd, SOL_PACKET, PACKET_COPY_THRESH, &threshold, sizeof threshold) < 0)
    return fail(failure, "setsockopt", "PACKET_COPY_THRESH", NULL);
  if (setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) < 0)
    return fail(failure, "setsockopt", "PACKET_RX_RING", NULL);
  struct packet_ring *ring = calloc(1, sizeof *ring);
  if (!ring) return fail(failure, "malloc", "packet ring", NULL);
  ring->bytes = (size_t)blocks * BLOCK_BYTES;
  ring->slots = request.tp_frame_nr;
  ring->base = mmap(NULL, ring->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (ring->base == MAP_FAILED) {
    fail(failure, "mmap", "packet ring", NULL);
    free(ring);
    return -1;
  }
  atomic_store_explicit(&rings[fd], ring, memory_order_release);
  return 0;
}

void ring_destroy(int fd) {
  struct packet_ring *ring = fd < MAX_RINGS ? atomic_exchange(&rings[fd], NULL) : NULL;
  if (!ring) return;
  munmap(ring->base, ring->bytes);
  free(ring);
}

struct tpacket2_hdr *ring_head(const struct packet_ring *ring) {
  uint32_t block = ring->head / SLOTS_PER_BLOCK, slot = ring->head % SLOTS_PER_BLOCK;
  return (struct tpacket2_hdr *)(ring->base + (size_t)block * BLOCK_BYTES + (size_t)slot * SLOT_BYTES);
}

uint32_t ring_status(const struct tpacket2_hdr *header) {
  return __atomic_load_n(&header->tp_status, __ATOMIC_ACQUIRE);
}

void ring_release(struct packet_ring *ring, struct tpacket2_hdr *header) {
  __atomic_store_n(&header->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
  ring->head = ring->head + 1 == ring->slots ? 0 : ring->head + 1;
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
