/* From JS values to checked C values, and from errno to an Error that says what to do. */
#include "native.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *errno_name(int error) {
  const char *name = strerrorname_np(error);
  return name ? name : "EUNKNOWN";
}

/* What a person can do about an errno, wherever it came from. */
static const char *errno_hint(int error) {
  switch (error) {
    case EACCES:
    case EPERM: return "run as root or grant CAP_NET_ADMIN, CAP_NET_RAW and CAP_SYS_ADMIN";
    case ENOENT: return "it does not exist; check the name";
    case ENODEV:
    case ENXIO: return "no such network interface in this network namespace; check the name with ip link";
    case EBUSY: return "another process holds it; stop that process first";
    case EMFILE: return "too many open files; raise the limit with ulimit -n";
    case ENFILE: return "the system has too many open files; raise fs.file-max";
    case ENOMEM:
    case ENOBUFS: return "the kernel is out of memory; free some or lower the table sizes";
    case ENOSPC: return "no space left on its file system; free some or choose another run directory";
    case EADDRINUSE: return "the path is taken; stop the other instance or remove the stale socket";
    case ECONNREFUSED: return "nobody listens there; start the daemon first";
    case EPIPE:
    case ECONNRESET: return "the other process has gone";
    case ETIMEDOUT: return "no answer in time; see whether the other process is alive";
    case EBADF: return "the descriptor is closed or of another kind";
    case ENETDOWN: return "the interface is down; set it up with ip link set NAME up";
    default: return NULL;
  }
}

int fail(struct failure *failure, const char *syscall, const char *subject, const char *hint) {
  failure->error = errno;
  failure->syscall = syscall;
  failure->hint = hint;
  snprintf(failure->subject, sizeof failure->subject, "%s", subject);
  return -1;
}

napi_value make_error(napi_env env, const struct failure *failure) {
  const char *hint = failure->hint ? failure->hint : errno_hint(failure->error);
  char message[640];
  snprintf(message, sizeof message, "%s %s: %s: %s", failure->syscall, failure->subject, errno_name(failure->error),
           hint ? hint : strerror(failure->error));
  napi_value code, text, error, call;
  napi_create_string_utf8(env, errno_name(failure->error), NAPI_AUTO_LENGTH, &code);
  napi_create_string_utf8(env, message, NAPI_AUTO_LENGTH, &text);
  napi_create_string_utf8(env, failure->syscall, NAPI_AUTO_LENGTH, &call);
  napi_create_error(env, code, text, &error);
  napi_set_named_property(env, error, "syscall", call);
  set_int(env, error, "errno", -failure->error);
  return error;
}

napi_value throw_failure(napi_env env, const struct failure *failure) {
  napi_throw(env, make_error(env, failure));
  return NULL;
}

napi_value throw_errno(napi_env env, const char *syscall, const char *subject, int error) {
  struct failure failure;
  errno = error;
  fail(&failure, syscall, subject, NULL);
  return throw_failure(env, &failure);
}

static bool throw_type(napi_env env, const char *name, const char *wanted) {
  char message[128];
  snprintf(message, sizeof message, "%s: wanted %s", name, wanted);
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", message);
  return false;
}

bool read_args(napi_env env, napi_callback_info info, size_t wanted, napi_value *args) {
  size_t count = wanted;
  return napi_get_cb_info(env, info, &count, args, NULL, NULL) == napi_ok; /* missing ones become undefined */
}

bool arg_int(napi_env env, napi_value value, const char *name, int64_t min, int64_t max, int64_t *out) {
  double number;
  if (napi_get_value_double(env, value, &number) != napi_ok) return throw_type(env, name, "a number");
  if (!(number >= (double)min && number <= (double)max) || number != floor(number)) {
    char message[160];
    snprintf(message, sizeof message, "%s: found %.17g, wanted an integer from %lld to %lld", name, number,
             (long long)min, (long long)max);
    napi_throw_range_error(env, "ERR_OUT_OF_RANGE", message);
    return false;
  }
  *out = (int64_t)number;
  return true;
}

bool arg_fd(napi_env env, napi_value value, int *out) {
  int64_t number;
  if (!arg_int(env, value, "fd", 0, INT32_MAX, &number)) return false;
  *out = (int)number;
  return true;
}

bool arg_string(napi_env env, napi_value value, const char *name, char *out, size_t capacity) {
  size_t length;
  if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok) return throw_type(env, name, "a string");
  if (length >= capacity) {
    char message[160];
    snprintf(message, sizeof message, "%s: found %zu bytes, wanted at most %zu", name, length, capacity - 1);
    napi_throw_range_error(env, "ERR_OUT_OF_RANGE", message);
    return false;
  }
  napi_get_value_string_utf8(env, value, out, capacity, &length);
  if (strlen(out) != length) return throw_type(env, name, "a string without NUL");
  return true;
}

bool arg_optional_string(napi_env env, napi_value value, const char *name, char *out, size_t capacity) {
  napi_valuetype type;
  napi_typeof(env, value, &type);
  if (type != napi_undefined && type != napi_null) return arg_string(env, value, name, out, capacity);
  out[0] = '\0';
  return true;
}

bool arg_bool(napi_env env, napi_value value, bool *out) {
  napi_value converted;
  return napi_coerce_to_bool(env, value, &converted) == napi_ok && napi_get_value_bool(env, converted, out) == napi_ok;
}

static bool typed_array(napi_env env, napi_value value, napi_typedarray_type wanted, void **out, size_t *length) {
  napi_typedarray_type type;
  return napi_get_typedarray_info(env, value, &type, length, out, NULL, NULL) == napi_ok && type == wanted;
}

bool arg_bytes(napi_env env, napi_value value, const char *name, uint8_t **out, size_t *length) {
  return typed_array(env, value, napi_uint8_array, (void **)out, length) || throw_type(env, name, "a Uint8Array");
}

bool arg_int32s(napi_env env, napi_value value, const char *name, int32_t **out, size_t *length) {
  return typed_array(env, value, napi_int32_array, (void **)out, length) || throw_type(env, name, "an Int32Array");
}

napi_value make_int(napi_env env, int64_t value) {
  napi_value result = NULL;
  napi_create_int64(env, value, &result);
  return result;
}

napi_value make_double(napi_env env, double value) {
  napi_value result = NULL;
  napi_create_double(env, value, &result);
  return result;
}

napi_value make_bytes(napi_env env, const void *bytes, size_t length) {
  napi_value buffer, result = NULL;
  void *copy;
  if (napi_create_arraybuffer(env, length, &copy, &buffer) != napi_ok) return NULL;
  if (length) memcpy(copy, bytes, length);
  napi_create_typedarray(env, napi_uint8_array, length, buffer, 0, &result);
  return result;
}

void set_int(napi_env env, napi_value object, const char *name, int64_t value) {
  napi_set_named_property(env, object, name, make_int(env, value));
}
