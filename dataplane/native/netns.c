/*
 * Network namespaces. setns() moves one thread only, so a socket or TAP in another namespace is opened by a short-lived
 * thread that enters it: the caller can never be left behind in the wrong namespace, whatever fails.
 */
#include "native.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Moves the calling thread into a namespace given by path, or by the name that ip-netns(8) knows. */
static int enter_netns(const char *netns, struct failure *failure) {
  char path[280];
  snprintf(path, sizeof path, "%s%s", strchr(netns, '/') ? "" : "/run/netns/", netns);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(failure, "open", path, errno == ENOENT ? "no such network namespace; see ip netns" : NULL);
  int result = setns(fd, CLONE_NEWNET);
  if (result < 0) fail(failure, "setns", path, errno == EINVAL ? "not a network namespace" : NULL);
  close(fd);
  return result;
}

struct errand {
  const char *netns;
  netns_work work;
  void *argument;
  struct failure *failure;
  int result;
};

static void *run_errand(void *pointer) {
  struct errand *errand = pointer;
  errand->result = enter_netns(errand->netns, errand->failure);
  if (errand->result == 0) errand->result = errand->work(errand->argument, errand->failure);
  return NULL;
}

int run_in_netns(const char *netns, netns_work work, void *argument, struct failure *failure) {
  if (netns[0] == '\0') return work(argument, failure);
  struct errand errand = {netns, work, argument, failure, -1};
  pthread_t thread;
  int error = pthread_create(&thread, NULL, run_errand, &errand);
  if (error) {
    errno = error;
    return fail(failure, "pthread_create", netns, NULL);
  }
  pthread_join(thread, NULL);
  return errand.result;
}

/* setNetns(pathOrName): moves the calling thread for good */
napi_value set_netns(napi_env env, napi_callback_info info) {
  napi_value args[1];
  char netns[256];
  struct failure failure;
  if (!read_args(env, info, 1, args) || !arg_string(env, args[0], "netns", netns, sizeof netns)) return NULL;
  return enter_netns(netns, &failure) < 0 ? throw_failure(env, &failure) : NULL;
}
