/*
 * Network namespaces. setns() moves one thread only, so a socket or TAP in another namespace is opened by a short-lived
 * thread that enters it: the caller can never be left behind in the wrong namespace, whatever fails.
 */
#include "native.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NET_TABLE_LIMIT 65536 /* bytes; a pod may have as many routes as it likes */

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

struct net_table {
  char path[64];
  char *text;
  ssize_t length; /* -1: longer than NET_TABLE_LIMIT */
};

static int read_net_table(void *argument, struct failure *failure) {
  struct net_table *table = argument;
  int fd = open(table->path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail(failure, "open", table->path, NULL);
  ssize_t got;
  while ((got = read(fd, table->text + table->length, NET_TABLE_LIMIT + 1 - table->length)) > 0) {
    table->length += got;
    if (table->length > NET_TABLE_LIMIT) break;
  }
  int result = got < 0 ? fail(failure, "read", table->path, NULL) : 0;
  close(fd);
  if (table->length > NET_TABLE_LIMIT) table->length = -1;
  return result;
}

/* netTable(name, netns): the text of /proc/net/NAME as the namespace has it; undefined when it is too long */
napi_value net_table(napi_env env, napi_callback_info info) {
  napi_value args[2], result = NULL;
  char name[32], netns[256];
  struct net_table table = {0};
  struct failure failure;
  if (!read_args(env, info, 2, args) || !arg_string(env, args[0], "name", name, sizeof name) ||
      !arg_optional_string(env, args[1], "netns", netns, sizeof netns))
    return NULL;
  snprintf(table.path, sizeof table.path, "/proc/thread-self/net/%s", name);
  table.text = malloc(NET_TABLE_LIMIT + 1);
  if (table.text == NULL) {
    fail(&failure, "malloc", name, NULL);
    return throw_failure(env, &failure);
  }
  if (run_in_netns(netns, read_net_table, &table, &failure) < 0) throw_failure(env, &failure);
  else if (table.length >= 0) napi_create_string_latin1(env, table.text, table.length, &result);
  free(table.text);
  return result;
}
