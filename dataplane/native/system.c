/* Clocks, resource use, and what the kernel says of an interface. */
#include "native.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static struct timespec monotonic(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now;
}

/* monotonicMs(): number with fraction */
napi_value monotonic_ms(napi_env env, napi_callback_info info) {
  (void)info;
  struct timespec now = monotonic();
  return make_double(env, (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6);
}

/* monotonicSec(): whole seconds */
napi_value monotonic_sec(napi_env env, napi_callback_info info) {
  (void)info;
  return make_int(env, monotonic().tv_sec);
}

static napi_value usage(napi_env env, int who) {
  struct rusage used;
  napi_value result;
  if (getrusage(who, &used) < 0) return throw_errno(env, "getrusage", "self", errno);
  napi_create_object(env, &result);
  set_int(env, result, "userUs", (int64_t)used.ru_utime.tv_sec * 1000000 + used.ru_utime.tv_usec);
  set_int(env, result, "systemUs", (int64_t)used.ru_stime.tv_sec * 1000000 + used.ru_stime.tv_usec);
  set_int(env, result, "maxRssKb", used.ru_maxrss);
  return result;
}

/* getrusageSelf(): {userUs, systemUs, maxRssKb} of the whole process */
napi_value getrusage_self(napi_env env, napi_callback_info info) {
  (void)info;
  return usage(env, RUSAGE_SELF);
}

/* getrusageThread(): the same of the calling thread */
napi_value getrusage_thread(napi_env env, napi_callback_info info) {
  (void)info;
  return usage(env, RUSAGE_THREAD);
}

struct interface_query {
  char name[IFNAMSIZ];
  int index, mtu, flags;
  uint8_t mac[6];
};

static int ask(int fd, unsigned long request, const char *name, struct ifreq *reply, struct failure *failure) {
  memset(reply, 0, sizeof *reply);
  memcpy(reply->ifr_name, name, strlen(name) + 1);
  return ioctl(fd, request, reply) < 0 ? fail(failure, "ioctl", name, NULL) : 0;
}

static int query_interface(void *argument, struct failure *failure) {
  struct interface_query *query = argument;
  struct ifreq reply;
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* any socket reaches the device ioctls */
  if (fd < 0) return fail(failure, "socket", query->name, NULL);
  int result = ask(fd, SIOCGIFINDEX, query->name, &reply, failure);
  query->index = reply.ifr_ifindex;
  if (result == 0) result = ask(fd, SIOCGIFMTU, query->name, &reply, failure);
  query->mtu = reply.ifr_mtu;
  if (result == 0) result = ask(fd, SIOCGIFFLAGS, query->name, &reply, failure);
  query->flags = reply.ifr_flags;
  if (result == 0) result = ask(fd, SIOCGIFHWADDR, query->name, &reply, failure);
  memcpy(query->mac, reply.ifr_hwaddr.sa_data, sizeof query->mac);
  close(fd);
  return result;
}

/* interfaceInfo(name, netns): {index, mtu, isUp, hasCarrier, mac} */
napi_value interface_info(napi_env env, napi_callback_info info) {
  napi_value args[2], result, is_up, has_carrier;
  struct interface_query query = {0};
  char netns[256];
  struct failure failure;
  if (!read_args(env, info, 2, args) || !arg_string(env, args[0], "name", query.name, sizeof query.name) ||
      !arg_optional_string(env, args[1], "netns", netns, sizeof netns))
    return NULL;
  if (run_in_netns(netns, query_interface, &query, &failure) < 0) return throw_failure(env, &failure);
  napi_create_object(env, &result);
  set_int(env, result, "index", query.index);
  set_int(env, result, "mtu", query.mtu);
  napi_get_boolean(env, (query.flags & IFF_UP) != 0, &is_up);
  napi_set_named_property(env, result, "isUp", is_up);
  napi_get_boolean(env, (query.flags & IFF_RUNNING) != 0, &has_carrier);
  napi_set_named_property(env, result, "hasCarrier", has_carrier);
  napi_set_named_property(env, result, "mac", make_bytes(env, query.mac, sizeof query.mac));
  return result;
}

static int switch_off(int fd, const char *name, uint32_t command, const char *label, struct failure *failure) {
  struct ethtool_value value = {.cmd = command, .data = 0};
  struct ifreq request = {.ifr_data = (char *)&value};
  memcpy(request.ifr_name, name, strlen(name) + 1);
  return ioctl(fd, SIOCETHTOOL, &request) < 0 ? fail(failure, label, name, NULL) : 0;
}

static int switch_offloads(void *argument, struct failure *failure) {
  const char *name = argument;
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(failure, "socket", name, NULL);
  int result = switch_off(fd, name, ETHTOOL_STSO, "ioctl ETHTOOL_STSO", failure);
  if (result == 0) result = switch_off(fd, name, ETHTOOL_SGSO, "ioctl ETHTOOL_SGSO", failure);
  if (result == 0) result = switch_off(fd, name, ETHTOOL_STXCSUM, "ioctl ETHTOOL_STXCSUM", failure);
  close(fd);
  return result;
}

/* disableOffloads(name, netns): the interface sends finished checksums and packets of its MTU from now on */
napi_value disable_offloads(napi_env env, napi_callback_info info) {
  napi_value args[2];
  char name[IFNAMSIZ], netns[256];
  struct failure failure;
  if (!read_args(env, info, 2, args) || !arg_string(env, args[0], "name", name, sizeof name) ||
      !arg_optional_string(env, args[1], "netns", netns, sizeof netns))
    return NULL;
  return run_in_netns(netns, switch_offloads, name, &failure) < 0 ? throw_failure(env, &failure) : NULL;
}
