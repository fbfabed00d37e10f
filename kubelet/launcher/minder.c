/*
 * Starts a container, and minds it: one such process stays for each, so that nothing of a container depends on the agent.
 *
 *     launcher --fork--> minder --fork--> (enters the pod's pid namespace) --clone--> the container's first process
 *        |                  '----------------- its parent: CLONE_PARENT -----------------'
 *        '-- ends with what the minder reports
 *
 * Files in DIR: ATTEMPT.pids (`PID START` of the minder, of the container) before the program begins; ATTEMPT.log; `attach`, a socket. When it has ended: EXITS/NAME.ATTEMPT
 * (`CODE SIGNAL MILLISECONDS`), in one folder for all containers, where the kubelet waits for them. The minder's root is the container's by then, and it reaches the host by the
 * descriptor of DIR alone.
 *
 * A container that says more than 8 MiB a second waits for its output to be taken.
 */
#define _GNU_SOURCE
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHUNK_BYTES 16384
#define RATE_BYTES_PER_MS 8192
#define BURST_BYTES (16LL << 20)
#define LAST_BYTES (1 << 20) /* taken after the end */

static struct {
  int out[2], err[2], in[2], master, slave;
} streams = {{-1, -1}, {-1, -1}, {-1, -1}, -1, -1};
static int exits_fd = -1, cgroup_fd = -1, handshake[2], trouble[2], report;

static long long now_ms(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void open_streams(void) {
  if (spec.has_tty) {
    streams.master = terminal_fd = input_fd = open_terminal(&streams.slave);
    fcntl(streams.master, F_SETFL, O_NONBLOCK);
    return;
  }
  if (pipe2(streams.out, O_CLOEXEC) < 0 || pipe2(streams.err, O_CLOEXEC) < 0) die(errno, "pipe");
  fcntl(streams.out[0], F_SETFL, O_NONBLOCK);
  fcntl(streams.err[0], F_SETFL, O_NONBLOCK);
  /* /dev/stdout may be opened again by its user. */
  if (fchown(streams.out[1], spec.uid, spec.gid) < 0 || fchown(streams.err[1], spec.uid, spec.gid) < 0) die(errno, "chown");
  if (!spec.has_stdin) return;
  if (pipe2(streams.in, O_CLOEXEC) < 0) die(errno, "pipe");
  fcntl(streams.in[1], F_SETFL, O_NONBLOCK);
  input_fd = streams.in[1];
}

/* The container's first process. */
static void begin(void) {
  char letter = 'b';
  complaint_fd = trouble[1];
  /* Its minder learns from this message which process it is. */
  if (write(handshake[1], &letter, 1) != 1 || read(handshake[1], &letter, 1) != 1) _exit(1);
  if (cgroup_fd >= 0 && write(cgroup_fd, "0", 1) != 1) die(errno, "enter the cgroup");
  setsid();
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  int in = spec.has_tty ? streams.slave : spec.has_stdin ? streams.in[0] : null;
  if (dup2(in, 0) < 0 || dup2(spec.has_tty ? streams.slave : streams.out[1], 1) < 0 ||
      dup2(spec.has_tty ? streams.slave : streams.err[1], 2) < 0)
    die(errno, "connect the streams");
  if (spec.has_tty) take_terminal(0);
  mount_proc();
  umask(022);
  enter_work_folder();
  confine();
  if (spec.args_count == 0) die(0, "no command");
  execute(spec.args);
}

/* In the pod's pid namespace: makes the process that is the minder's child and the first of a namespace within. */
static void make_first(void) {
  long flags = CLONE_PARENT | SIGCHLD | (spec.shares_pids ? 0 : CLONE_NEWPID);
  long child = syscall(SYS_clone, flags, NULL, NULL, NULL, NULL);
  if (child < 0) die(errno, "make the container's first process");
  if (child == 0) begin();
  _exit(0);
}

static pid_t greet(void) {
  char letter, control[CMSG_SPACE(sizeof(struct ucred))];
  struct iovec part = {&letter, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  if (recvmsg(handshake[0], &message, 0) != 1) die(0, "the container's first process has not begun");
  for (struct cmsghdr *one = CMSG_FIRSTHDR(&message); one != NULL; one = CMSG_NXTHDR(&message, one)) {
    struct ucred *who = (struct ucred *)CMSG_DATA(one);
    if (one->cmsg_level == SOL_SOCKET && one->cmsg_type == SCM_CREDENTIALS) return who->pid;
  }
  die(0, "the container's first process has not said who it is");
}

static pid_t start(int folder, int sandbox) {
  int yes = 1;
  char text[160], own[32] = "", child_start[32] = "", name[48];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, handshake) < 0 || pipe2(trouble, O_CLOEXEC) < 0) die(errno, "pipe");
  setsockopt(handshake[0], SOL_SOCKET, SO_PASSCRED, &yes, sizeof yes);
  enter(sandbox, "pid");
  pid_t helper = fork();
  if (helper < 0) die(errno, "fork");
  if (helper == 0) make_first();
  close(handshake[1]);
  int status;
  waitpid(helper, &status, 0);
  if (status != 0) die(0, "the container's first process could not be made");
  pid_t child = greet();
  int proc_dir = proc_of(getpid());
  start_time(proc_dir, own, sizeof own);
  close(proc_dir);
  proc_dir = proc_of(child);
  start_time(proc_dir, child_start, sizeof child_start);
  close(proc_dir);
  snprintf(text, sizeof text, "%d %s\n%d %s\n", getpid(), own, child, child_start);
  snprintf(name, sizeof name, "%s.pids", spec.attempt);
  write_file(folder, name, text);
  if (write(handshake[0], "g", 1) != 1) die(errno, "start the container");
  close(handshake[0]);
  close(trouble[1]);
  return child;
}

/* Answers when the program runs; says what was wrong when it does not. */
static void await_execution(void) {
  char text[1024];
  size_t length = 0;
  ssize_t got;
  while ((got = read(trouble[0], text + length, sizeof text - length)) > 0) length += got;
  close(trouble[0]);
  if (length > 0) {
    if (write(report, text, length) < 0) _exit(1);
    _exit(1);
  }
}

/* Takes what a stream has to say; false at its end. */
static bool take_output(int *fd, int stream, long long *allowance) {
  char chunk[CHUNK_BYTES];
  if (*fd < 0) return false;
  ssize_t got = read(*fd, chunk, sizeof chunk);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (got <= 0) {
    if (*fd != terminal_fd) close(*fd);
    *fd = -1;
    return false;
  }
  *allowance -= got;
  log_take(stream, chunk, got);
  attach_tell(stream, chunk, got);
  return true;
}

static int mind(pid_t child, int *signal_number) {
  int *out = spec.has_tty ? &streams.master : &streams.out[0], *err = &streams.err[0];
  long long allowance = BURST_BYTES, last = now_ms(CLOCK_MONOTONIC);
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  int ended = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK), status = 0;
  for (;;) {
    struct pollfd fds[MAX_CLIENTS + 5];
    size_t count = attach_wants(fds), attached = count;
    long long now = now_ms(CLOCK_MONOTONIC);
    allowance += (now - last) * RATE_BYTES_PER_MS;
    if (allowance > BURST_BYTES) allowance = BURST_BYTES;
    last = now;
    bool may_take = allowance > 0;
    if (may_take && *out >= 0) fds[count++] = (struct pollfd){.fd = *out, .events = POLLIN};
    if (may_take && *err >= 0) fds[count++] = (struct pollfd){.fd = *err, .events = POLLIN};
    fds[count++] = (struct pollfd){.fd = ended, .events = POLLIN};
    if (poll(fds, count, may_take ? -1 : 20) < 0 && errno != EINTR) break;
    attach_serve(fds, attached);
    for (size_t i = attached; i + 1 < count; i++)
      if (fds[i].revents != 0) take_output(fds[i].fd == *out ? out : err, fds[i].fd == *out ? 1 : 2, &allowance);
    log_flush(false);
    if (fds[count - 1].revents == 0) continue;
    struct signalfd_siginfo taken;
    while (read(ended, &taken, sizeof taken) > 0) continue;
    if (waitpid(child, &status, WNOHANG) == child) break;
  }
  long long rest = LAST_BYTES;
  while (rest > 0) {
    struct pollfd fds[2] = {{.fd = *out, .events = POLLIN}, {.fd = *err, .events = POLLIN}};
    if (poll(fds, 2, 0) <= 0) break;
    if (fds[0].revents != 0) take_output(out, 1, &rest);
    if (fds[1].revents != 0) take_output(err, 2, &rest);
  }
  log_flush(true);
  *signal_number = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + *signal_number;
}

static void be_minder(int folder) {
  char name[48], text[96];
  setsid();
  prctl(PR_SET_NAME, "sluice-minder");
  prctl(PR_SET_DUMPABLE, 0);
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, NULL); /* SIGKILL alone ends it */
  complaint_fd = report;
  int sandbox = open_process(spec.sandbox, spec.sandbox_start);
  snprintf(name, sizeof name, "%s.log", spec.attempt);
  log_open(folder, name);
  if (fchdir(folder) < 0) die(errno, "enter the container's folder");
  attach_listen();
  if ((exits_fd = open(spec.exits, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) die(errno, "open %s", spec.exits);
  if (spec.cgroup != NULL && (cgroup_fd = open(spec.cgroup, O_WRONLY | O_CLOEXEC)) < 0) die(errno, "open %s", spec.cgroup);
  enter(sandbox, "net");
  enter(sandbox, "ipc");
  enter(sandbox, "uts");
  take_volumes(sandbox);
  bool is_layered = make_root(folder);
  open_streams();
  pid_t child = start(folder, sandbox);
  close(sandbox);
  await_execution();
  int slots[] = {streams.out[1], streams.err[1], streams.in[0], streams.slave, cgroup_fd};
  for (size_t i = 0; i < sizeof slots / sizeof *slots; i++)
    if (slots[i] >= 0) close(slots[i]);
  const char *answer = is_layered ? "+\n" : "+plain\n";
  if (write(report, answer, strlen(answer)) < 0) {
    /* whoever started us is gone; the files say all */
  }
  close(report);
  int null = open("/dev/null", O_RDWR | O_CLOEXEC), signal_number;
  for (int fd = 0; fd <= 2; fd++) dup2(null, fd);
  int code = mind(child, &signal_number);
  snprintf(text, sizeof text, "%d %d %lld\n", code, signal_number, now_ms(CLOCK_REALTIME));
  write_file(exits_fd, spec.exit_name, text);
  uint8_t frame[4] = {0, 0, code >> 8, code};
  attach_tell(5, frame, sizeof frame);
  _exit(0);
}

int run_main(int folder) {
  int said[2];
  if (spec.attempt == NULL || spec.exits == NULL || spec.exit_name == NULL || spec.root_bytes == 0)
    die(0, "spec: wanted attempt, exits, exitName and rootBytes");
  close(proc_of(1)); /* opens the host's /proc */
  if (pipe2(said, O_CLOEXEC) < 0) die(errno, "pipe");
  pid_t minder = fork();
  if (minder < 0) die(errno, "fork");
  if (minder == 0) {
    close(said[0]);
    report = said[1];
    be_minder(folder);
  }
  close(said[1]);
  char text[1100];
  size_t length = 0;
  ssize_t got;
  while ((got = read(said[0], text + length, sizeof text - 1 - length)) > 0) length += got;
  bool is_started = length > 0 && text[0] == '+';
  if (write(is_started ? 1 : 2, text, length) < 0) return 1;
  return is_started ? 0 : 1;
}
