/* epoll and eventfd. A poller is an epoll descriptor; each watched descriptor has a small integer key. */
#include "native.h"

#include <sched.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* pollerCreate(): epoll fd */
napi_value poller_create(napi_env env, napi_callback_info info) {
  (void)info;
  int fd = epoll_create1(EPOLL_CLOEXEC);
  return fd < 0 ? throw_errno(env, "epoll_create1", "poller", errno) : make_int(env, fd);
}

/* pollerAdd(poller, fd, key): level-triggered, readable or hung up */
napi_value poller_add(napi_env env, napi_callback_info info) {
  napi_value args[3];
  int poller, fd;
  int64_t key;
  if (!read_args(env, info, 3, args) || !arg_fd(env, args[0], &poller) || !arg_fd(env, args[1], &fd) ||
      !arg_int(env, args[2], "key", INT32_MIN, INT32_MAX, &key))
    return NULL;
  struct epoll_event event = {.events = EPOLLIN, .data = {.u64 = (uint64_t)fd << 32 | (uint32_t)key}};
  return epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event) < 0 ? throw_errno(env, "epoll_ctl", "add", errno) : NULL;
}

/* pollerRemove(poller, fd) */
napi_value poller_remove(napi_env env, napi_callback_info info) {
  napi_value args[2];
  int poller, fd;
  if (!read_args(env, info, 2, args) || !arg_fd(env, args[0], &poller) || !arg_fd(env, args[1], &fd)) return NULL;
  return epoll_ctl(poller, EPOLL_CTL_DEL, fd, NULL) < 0 ? throw_errno(env, "epoll_ctl", "remove", errno) : NULL;
}

static int64_t now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Whether the last wait of this thread was short enough for looking to have been worth it. */
static __thread bool is_dense;

/*
 * Looks for up to `spin` microseconds before it sleeps, as long as frames come that densely: going to sleep and being
 * woken costs more than the looking, to the sender too. A single frame now and then is slept for. Whoever else wants this
 * CPU gets it in between.
 */
static int wait_events(int poller, struct epoll_event *events, int capacity, int timeout, int64_t spin) {
  if (spin == 0 || timeout == 0) return epoll_wait(poller, events, capacity, timeout);
  int64_t start = now_us();
  int count = 0;
  while (is_dense) {
    if ((count = epoll_wait(poller, events, capacity, 0)) != 0 || now_us() - start >= spin) break;
    sched_yield();
  }
  if (count == 0) count = epoll_wait(poller, events, capacity, timeout);
  is_dense = count > 0 && now_us() - start <= spin;
  return count;
}

/* pollerWait(poller, timeoutMs, keys, spinUs): number of keys written; 0 after the timeout or a signal */
napi_value poller_wait(napi_env env, napi_callback_info info) {
  napi_value args[4];
  int poller;
  int64_t timeout, spin;
  int32_t *keys;
  size_t capacity;
  struct epoll_event events[MAX_BATCH];
  if (!read_args(env, info, 4, args) || !arg_fd(env, args[0], &poller) ||
      !arg_int(env, args[1], "timeoutMs", -1, INT32_MAX, &timeout) ||
      !arg_int32s(env, args[2], "readyKeys", &keys, &capacity) || !arg_int(env, args[3], "spinUs", 0, 1000, &spin))
    return NULL;
  if (capacity == 0) {
    napi_throw_range_error(env, "ERR_OUT_OF_RANGE", "readyKeys: found length 0, wanted at least 1");
    return NULL;
  }
  int count = wait_events(poller, events, capacity < MAX_BATCH ? (int)capacity : MAX_BATCH, (int)timeout, spin);
  if (count < 0 && errno != EINTR) return throw_errno(env, "epoll_wait", "poller", errno);
  for (int i = 0; i < count; i++) {
    keys[i] = (int32_t)(uint32_t)events[i].data.u64;
    struct packet_ring *ring = events[i].events & EPOLLERR ? ring_of((int)(events[i].data.u64 >> 32)) : NULL;
    if (ring) ring->has_error = true; /* an empty ring tells nothing of an interface that went down */
  }
  return make_int(env, count < 0 ? 0 : count);
}

/* eventfd(): fd */
napi_value event_create(napi_env env, napi_callback_info info) {
  (void)info;
  int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return fd < 0 ? throw_errno(env, "eventfd", "create", errno) : make_int(env, fd);
}

/* eventfdSignal(fd): from any thread or process that has the descriptor */
napi_value event_signal(napi_env env, napi_callback_info info) {
  napi_value args[1];
  int fd;
  if (!read_args(env, info, 1, args) || !arg_fd(env, args[0], &fd)) return NULL;
  /* EAGAIN: the counter is at its maximum, so the sleeper is woken anyway. */
  return eventfd_write(fd, 1) < 0 && errno != EAGAIN ? throw_errno(env, "write", "eventfd", errno) : NULL;
}

/* eventfdDrain(fd): signals since the last drain, 0 if none */
napi_value event_drain(napi_env env, napi_callback_info info) {
  napi_value args[1];
  int fd;
  eventfd_t count = 0;
  if (!read_args(env, info, 1, args) || !arg_fd(env, args[0], &fd)) return NULL;
  if (eventfd_read(fd, &count) < 0 && errno != EAGAIN) return throw_errno(env, "read", "eventfd", errno);
  return make_double(env, (double)count);
}
