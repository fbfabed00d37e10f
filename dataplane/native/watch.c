/*
 * Descriptors watched by Node's event loop: a function is called while one is readable, or writable. For the main thread of a
 * program that has other things on its loop; a thread that has not sleeps in a poller (poller.c), which costs less.
 */
#include "native.h"

#include <stdlib.h>
#include <uv.h>

struct watch {
  uv_poll_t poll;
  napi_env env;
  napi_ref callback;
};

static void free_watch(uv_handle_t *handle) { free(handle->data); }

static void end(void *pointer) {
  struct watch *watch = pointer;
  uv_poll_stop(&watch->poll);
  uv_close((uv_handle_t *)&watch->poll, free_watch);
}

static void on_ready(uv_poll_t *poll, int status, int events) {
  (void)status; /* an error shows at the next read */
  (void)events;
  struct watch *watch = poll->data;
  napi_env env = watch->env;
  napi_handle_scope scope;
  napi_value callback, global, error;
  napi_open_handle_scope(env, &scope);
  napi_get_reference_value(env, watch->callback, &callback);
  napi_get_global(env, &global);
  if (napi_make_callback(env, NULL, global, callback, 0, NULL, NULL) == napi_pending_exception &&
      napi_get_and_clear_last_exception(env, &error) == napi_ok)
    napi_fatal_exception(env, error);
  napi_close_handle_scope(env, scope);
}

static napi_value begin(napi_env env, napi_callback_info info, int events) {
  napi_value args[2], handle = NULL;
  napi_valuetype type;
  uv_loop_t *loop;
  int fd;
  if (!read_args(env, info, 2, args) || !arg_fd(env, args[0], &fd)) return NULL;
  if (napi_typeof(env, args[1], &type) != napi_ok || type != napi_function) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "callback: wanted a function");
    return NULL;
  }
  struct watch *watch = calloc(1, sizeof *watch);
  if (watch == NULL) return throw_errno(env, "malloc", "watch", ENOMEM);
  napi_get_uv_event_loop(env, &loop);
  int error = uv_poll_init(loop, &watch->poll, fd);
  if (error < 0) {
    free(watch);
    return throw_errno(env, "epoll_ctl", "watch", -error);
  }
  watch->env = env;
  watch->poll.data = watch;
  napi_create_reference(env, args[1], 1, &watch->callback);
  napi_add_env_cleanup_hook(env, end, watch);
  uv_poll_start(&watch->poll, events, on_ready);
  napi_create_external(env, watch, NULL, NULL, &handle);
  return handle;
}

/* watchReadable(fd, callback): a handle for endWatch() */
napi_value watch_readable(napi_env env, napi_callback_info info) { return begin(env, info, UV_READABLE); }

/* watchWritable(fd, callback): the same */
napi_value watch_writable(napi_env env, napi_callback_info info) { return begin(env, info, UV_WRITABLE); }

/* endWatch(handle): once, and before the descriptor is closed */
napi_value end_watch(napi_env env, napi_callback_info info) {
  napi_value args[1];
  struct watch *watch;
  if (!read_args(env, info, 1, args)) return NULL;
  if (napi_get_value_external(env, args[0], (void **)&watch) != napi_ok) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", "handle: wanted what watchReadable() answered");
    return NULL;
  }
  napi_remove_env_cleanup_hook(env, end, watch);
  napi_delete_reference(env, watch->callback);
  end(watch);
  return NULL;
}
