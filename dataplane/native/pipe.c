/*
 * Pipes for the standard streams of programs. Node's own `pipe` is a pair of sockets, and a program that opens /dev/stdout or
 * /dev/stderr by name cannot open those.
 */
#include "native.h"

#include <fcntl.h>
#include <unistd.h>

#define PIPE_BYTES (1 << 20) /* what an unprivileged program may have: fewer turns of the event loop for as many bytes */

/* openPipe(): [end to read from, end to write to] */
napi_value open_pipe(napi_env env, napi_callback_info info) {
  (void)info;
  int ends[2];
  napi_value result;
  if (pipe2(ends, O_CLOEXEC) < 0) return throw_errno(env, "pipe2", "pipe", errno);
  fcntl(ends[0], F_SETPIPE_SZ, PIPE_BYTES); /* a smaller one works as well */
  napi_create_array_with_length(env, 2, &result);
  napi_set_element(env, result, 0, make_int(env, ends[0]));
  napi_set_element(env, result, 1, make_int(env, ends[1]));
  return result;
}
