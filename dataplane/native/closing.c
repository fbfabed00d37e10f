/*
 * Closing descriptors, with the receive ring that may go with them.
 *
 * The last close of a packet socket or a TAP waits for a grace period of the kernel, 10 to 20 ms. A thread that forwards
 * frames cannot wait that long, and cannot know whether another process still has the descriptor: so it leaves the closing
 * to threads beside it. There are at most MAX_CLOSERS, which begin with the first descriptor and end with the last. They may
 * outlive the JavaScript thread that loaded the addon, so the addon is never unloaded (binding.gyp: nodelete).
 */
#include "native.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_CLOSERS 32 /* they wait for the same grace periods; an agent that ends has a socket a pod */

struct closing {
  int fd;
  struct packet_ring *ring;
  struct closing *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct closing *waiting;
static int closers;

static void *close_waiting(void *unused) {
  for (;;) {
    pthread_mutex_lock(&lock);
    struct closing *closing = waiting;
    if (closing) waiting = closing->next;
    else closers--;
    pthread_mutex_unlock(&lock);
    if (!closing) return unused;
    ring_unmap(closing->ring);
    close(closing->fd);
    free(closing);
  }
}

/* Starts one more thread if there may be one. Without any thread the caller closes what waits. */
static void add_closer(void) {
  pthread_t thread;
  pthread_mutex_lock(&lock);
  bool is_wanted = closers < MAX_CLOSERS;
  if (is_wanted) closers++;
  pthread_mutex_unlock(&lock);
  if (!is_wanted) return;
  if (pthread_create(&thread, NULL, close_waiting, NULL) == 0) pthread_detach(thread);
  else close_waiting(NULL);
}

/* closeFdBeside(fd): gives the descriptor up at once; it is closed a little later */
napi_value close_fd_beside(napi_env env, napi_callback_info info) {
  napi_value args[1];
  int fd;
  if (!read_args(env, info, 1, args) || !arg_fd(env, args[0], &fd)) return NULL;
  if (fcntl(fd, F_GETFD) < 0) return throw_errno(env, "close", "descriptor", errno);
  struct closing *closing = malloc(sizeof *closing);
  if (!closing) return throw_errno(env, "malloc", "closing", ENOMEM);
  closing->fd = fd;
  closing->ring = ring_take(fd);
  pthread_mutex_lock(&lock);
  closing->next = waiting;
  waiting = closing;
  pthread_mutex_unlock(&lock);
  add_closer();
  return NULL;
}

/* closeFd(fd) */
napi_value close_fd(napi_env env, napi_callback_info info) {
  napi_value args[1];
  int fd;
  char subject[32];
  if (!read_args(env, info, 1, args) || !arg_fd(env, args[0], &fd)) return NULL;
  snprintf(subject, sizeof subject, "descriptor %d", fd);
  ring_unmap(ring_take(fd));
  return close(fd) < 0 && errno != EINTR ? throw_errno(env, "close", subject, errno) : NULL;
}
