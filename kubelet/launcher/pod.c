/*
 * The namespaces of a pod, and the process that holds them: the first of its pid namespace, so that with it ends all that runs in
 * the pod, however it came there. It waits for orphans and does nothing else; it keeps no file open and its root holds only the
 * volumes of the pod, which thus end with it.
 */
#define _GNU_SOURCE
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void hold(void) {
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  sigprocmask(SIG_SETMASK, &children, NULL);
  for (;;) {
    int caught;
    sigwait(&children, &caught);
    while (waitpid(-1, NULL, WNOHANG) > 0) continue;
  }
}

static void set_sysctls(void) {
  /* As container runtimes have it: a user of the pod may ping and serve any port, in its own network namespace. */
  poke("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
  poke("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
  /* Memory that belongs to no process, and to no limit but these: shared memory of 256 MiB, queues of messages of 4 MiB, 65,536 semaphores. */
  poke("/proc/sys/kernel/shmall", "65536");
  poke("/proc/sys/kernel/msgmni", "256");
  poke("/proc/sys/kernel/sem", "1024 65536 500 1024");
  for (size_t i = 0; i < spec.sysctls_count; i++) {
    char path[256];
    const char *equals = strchr(spec.sysctls[i], '=');
    if (equals == NULL || strstr(spec.sysctls[i], "..") != NULL) die(0, "sysctl: found %s", spec.sysctls[i]);
    snprintf(path, sizeof path, "/proc/sys/%.*s", (int)(equals - spec.sysctls[i]), spec.sysctls[i]);
    if (!poke(path, equals + 1)) die(errno, "set sysctl %s", spec.sysctls[i]);
  }
}

int pod_main(int folder) {
  int netns = open(spec.netns == NULL ? "" : spec.netns, O_RDONLY | O_CLOEXEC), go[2];
  if (netns < 0) die(errno, "open the network namespace %s", spec.netns);
  if (setns(netns, CLONE_NEWNET) < 0) die(errno, "enter the network namespace %s", spec.netns);
  close(netns);
  close(proc_of(1)); /* opens the host's /proc */
  poke("/proc/self/oom_score_adj", FIRST_TO_GO); /* with it go the volumes, which are memory too */
  if (unshare(CLONE_NEWIPC | CLONE_NEWUTS) < 0) die(errno, "make the namespaces of a pod");
  if (spec.hostname != NULL && sethostname(spec.hostname, strlen(spec.hostname)) < 0) die(errno, "set the host name");
  set_sysctls();
  make_pod_root(folder);
  if (pipe2(go, O_CLOEXEC) < 0) die(errno, "pipe");
  if (unshare(CLONE_NEWPID) < 0) die(errno, "make a pid namespace");
  pid_t child = fork();
  if (child < 0) die(errno, "fork");
  if (child == 0) {
    char letter;
    prctl(PR_SET_DUMPABLE, 0);
    prctl(PR_SET_NAME, "sluice-pod");
    setsid();
    close(go[1]);
    if (read(go[0], &letter, 1) != 1) _exit(1); /* whoever records it has died: nobody would ever end it */
    syscall(SYS_close_range, 0, ~0U, 0);
    hold();
  }
  char text[96], start[32];
  int proc_dir = proc_of(child);
  start_time(proc_dir, start, sizeof start);
  snprintf(text, sizeof text, "%d %s\n", child, start);
  write_file(folder, "pids", text);
  if (write(go[1], "g", 1) != 1 || write(1, text, strlen(text)) < 0) die(errno, "start the first process of a pod");
  return 0;
}
