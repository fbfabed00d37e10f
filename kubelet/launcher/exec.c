/*
 * Runs a command in a running container, confined as that is: `sluice-container exec DIR [--tty] -- ARGV`; or in a network namespace that has
 * no container, with the rights and the environment of the caller: `sluice-container netns NETNS [--tty] -- ARGV`.
 *
 * Descriptors 0, 1 and 2 are the command's, or what its terminal is copied from and to. Descriptor 3, where there is one, is a socket: sizes
 * of the terminal come in (rows, columns: two bytes each, big endian), and one line goes out when the command could not be started.
 * The command ends when this program ends, or when the other end of descriptor 3 is closed.
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
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

static int control = -1, master = -1;

/* The first process of the container, from the file that its minder wrote. */
static int open_container(int folder) {
  char name[48], text[160] = "", start[32];
  int pid;
  snprintf(name, sizeof name, "%s.pids", spec.attempt);
  int file = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0 || read(file, text, sizeof text - 1) <= 0) die(0, "the container is not running");
  close(file);
  const char *second = strchr(text, '\n');
  if (second == NULL || sscanf(second + 1, "%d %31s", &pid, start) != 2) die(0, "the container is not running");
  return open_process(pid, start);
}

static void be_command(int slave, char **argv, bool is_confined) {
  prctl(PR_SET_DUMPABLE, 0);
  parent_death();
  setsid();
  if (slave >= 0) {
    for (int fd = 0; fd <= 2; fd++) dup2(slave, fd);
    take_terminal(0);
    bool has_term = false;
    for (size_t i = 0; i < spec.env_count; i++) has_term = has_term || strncmp(spec.env[i], "TERM=", 5) == 0;
    if (!has_term && spec.env_count < MAX_ENV) spec.env[spec.env_count++] = "TERM=xterm";
  }
  umask(022);
  enter_work_folder();
  if (is_confined) confine();
  else use_default_signals();
  execute((const char *const *)argv);
}

static bool write_all(int fd, const char *bytes, ssize_t count) {
  while (count > 0) {
    ssize_t done = write(fd, bytes, count);
    if (done < 0 && errno == EAGAIN) {
      struct pollfd wait = {.fd = fd, .events = POLLOUT};
      poll(&wait, 1, -1);
      continue;
    }
    if (done <= 0) return false;
    bytes += done;
    count -= done;
  }
  return true;
}

/* Copies once from one descriptor to another; false when either has ended. */
static bool copy(int from, int to) {
  char chunk[16384];
  ssize_t got = read(from, chunk, sizeof chunk);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  return got > 0 && write_all(to, chunk, got);
}

static bool read_control(void) {
  static uint8_t size[4];
  static size_t length;
  ssize_t got = read(control, size + length, sizeof size - length);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) return false;
  length += got;
  if (length < sizeof size) return true;
  length = 0;
  if (master >= 0) resize_terminal(master, size);
  return true;
}

/*
 * Input on its way to the terminal, which takes some 4 KiB that nobody reads. Nobody waits there for room: the command may be waiting
 * for its output to be read before it reads again.
 */
static struct {
  char bytes[16384];
  ssize_t from, to;
} typed;

/* False when there is no more input. */
static bool take_input(void) {
  typed.from = 0;
  typed.to = read(0, typed.bytes, sizeof typed.bytes);
  if (typed.to > 0) return true;
  bool is_later = typed.to < 0 && (errno == EAGAIN || errno == EINTR);
  typed.to = 0;
  if (is_later) return true;
  typed.bytes[0] = 4; /* what a terminal takes for the end of its input */
  typed.to = 1;
  return false;
}

static void type(void) {
  ssize_t done = write(master, typed.bytes + typed.from, typed.to - typed.from);
  if (done > 0) typed.from += done;
  else if (errno != EAGAIN && errno != EINTR) typed.from = typed.to;
}

/* Copies until the command has ended; answers how. */
static int mind(pid_t child) {
  signal(SIGPIPE, SIG_IGN); /* who reads the output may go before descriptor 3 says so */
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  int ended = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK), status = 0, in = master >= 0 ? 0 : -1, out = master;
  for (;;) {
    bool is_typing = typed.from < typed.to;
    struct pollfd fds[] = {{.fd = ended, .events = POLLIN},
                           {.fd = control, .events = POLLIN},
                           {.fd = out, .events = is_typing ? POLLIN | POLLOUT : POLLIN},
                           {.fd = is_typing ? -1 : in, .events = POLLIN}};
    if (poll(fds, 4, -1) < 0 && errno != EINTR) break;
    if (fds[1].revents != 0 && !read_control()) {
      if (master >= 0) kill(-child, SIGHUP);
      control = -1;
      kill(-child, SIGKILL); /* it leads a session, and so a group */
    }
    /* The terminal stays open until the command has ended, which has closed its own end a moment before that: closing it hangs up. */
    if ((fds[2].revents & ~POLLOUT) != 0 && !copy(master, 1)) {
      out = in = -1;
      typed.from = typed.to;
    }
    if (fds[3].revents != 0 && !take_input()) in = -1;
    if (out >= 0 && typed.from < typed.to) type();
    if (fds[0].revents == 0) continue;
    struct signalfd_siginfo taken;
    while (read(ended, &taken, sizeof taken) > 0) continue;
    if (waitpid(child, &status, WNOHANG) == child) break;
  }
  for (struct pollfd last = {.fd = master, .events = POLLIN}; master >= 0 && poll(&last, 1, 0) > 0;)
    if (!copy(master, 1)) break;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Runs the command where this process is by now, and answers its exit code. */
static int run_command(bool has_tty, char **argv, bool is_confined, int cgroup) {
  int slave = -1, trouble[2];
  sigset_t children;
  if (pipe2(trouble, O_CLOEXEC) < 0) die(errno, "pipe");
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  sigprocmask(SIG_BLOCK, &children, NULL);
  if (has_tty) {
    master = open_terminal(&slave);
    fcntl(master, F_SETFL, O_NONBLOCK);
  }
  /* A size that is here already is the one that the command begins with. */
  for (struct pollfd size = {.fd = control, .events = POLLIN}; master >= 0 && control >= 0 && poll(&size, 1, 0) > 0;)
    if (!read_control()) break;
  pid_t child = fork();
  if (child < 0) die(errno, "fork");
  if (child == 0) {
    complaint_fd = trouble[1];
    if (cgroup >= 0 && write(cgroup, "0", 1) != 1) die(errno, "enter the cgroup");
    be_command(slave, argv, is_confined);
  }
  close(trouble[1]);
  if (slave >= 0) close(slave);
  char text[1100];
  size_t length = 0;
  ssize_t got;
  while ((got = read(trouble[0], text + length, sizeof text - length)) > 0) length += got;
  close(trouble[0]);
  if (length == 0) return mind(child);
  int status;
  waitpid(child, &status, 0);
  if (write(complaint_fd, text, length) < 0) return 126;
  return WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 126;
}

static void prepare(void) {
  if (has_control) {
    control = complaint_fd = CONTROL_FD;
    fcntl(control, F_SETFD, FD_CLOEXEC);
  }
  complaint_code = 126;
  prctl(PR_SET_NAME, "sluice-exec");
  prctl(PR_SET_DUMPABLE, 0);
}

int exec_main(int folder, bool has_tty, char **argv) {
  int cgroup = -1;
  prepare();
  int container = open_container(folder);
  if (spec.cgroup != NULL && (cgroup = open(spec.cgroup, O_WRONLY | O_CLOEXEC)) < 0) die(errno, "open %s", spec.cgroup);
  static const char *const namespaces[] = {"net", "ipc", "uts", "pid", "mnt"};
  for (size_t i = 0; i < sizeof namespaces / sizeof *namespaces; i++) enter(container, namespaces[i]);
  return run_command(has_tty, argv, true, cgroup);
}

/* What `ip netns exec` puts over files of /etc. */
static void bind_files(const char *name) {
  static const char *const files[] = {"resolv.conf", "hosts"};
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    char from[512], to[64];
    snprintf(from, sizeof from, "/etc/netns/%s/%s", name, files[i]);
    snprintf(to, sizeof to, "/etc/%s", files[i]);
    if (access(from, F_OK) == 0 && mount(from, to, NULL, MS_BIND, NULL) < 0) die(errno, "mount %s", from);
  }
}

int netns_main(const char *netns, bool has_tty, char **argv) {
  char path[512];
  bool has_name = strchr(netns, '/') == NULL;
  prepare();
  snprintf(path, sizeof path, "%s%s", has_name ? "/run/netns/" : "", netns);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0 || setns(file, CLONE_NEWNET) < 0) die(errno, "enter the network namespace %s", netns);
  close(file);
  if (unshare(CLONE_NEWNS | CLONE_NEWUTS) < 0 || mount("", "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
    die(errno, "make a mount namespace");
  /* As `ip netns exec`: the interfaces under /sys/class/net are those of the namespace. */
  if (umount2("/sys", MNT_DETACH) == 0 && mount(netns, "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0) die(errno, "mount /sys");
  if (has_name) bind_files(netns);
  const char *hostname = getenv("HOSTNAME");
  if (hostname != NULL && *hostname != '\0' && sethostname(hostname, strlen(hostname)) < 0) die(errno, "set the host name");
  for (char **one = environ; *one != NULL && spec.env_count < MAX_ENV; one++) spec.env[spec.env_count++] = *one;
  return run_command(has_tty, argv, false, -1);
}
