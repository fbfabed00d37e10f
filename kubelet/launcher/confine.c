/*
 * What a container may not do. Capabilities outside of the mask leave the bounding set too, so that no program with the set-user-id bit
 * brings them back. The filter of system calls refuses what would reach past the namespaces:
 *
 *  1. calls of another architecture, and io_uring, which the filter could not see through;
 *  2. sockets of families that the network namespace, and so the policy, knows nothing of (AF_VSOCK ...);
 *  3. unless the pod asks for `Unconfined`: new namespaces, mounts, keys, BPF, modules, handles of files, typing into a terminal.
 *
 * What this program holds of the host it lets go of before it goes anywhere that a container names: /proc/self/fd/4 is a path too, and so is
 * a link to it that a container put in the place of its own work folder. For the same reason the folder that was entered must have a path.
 */
#define _GNU_SOURCE
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#else
#error "no filter of system calls for this architecture"
#endif

#define NEW_NAMESPACES (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)
#define X32_BIT 0x40000000
#define MOST_PROCESSES 4096 /* of a user that is not root, on the whole host */
#define MOST_FILES 1048576

#define MAX_FILTER 256
static struct sock_filter filter[MAX_FILTER];
static unsigned short filter_length;

static void add(struct sock_filter one) {
  if (filter_length >= MAX_FILTER) die(0, "the filter of system calls is too long");
  filter[filter_length++] = one;
}
#define STMT(code, k) add((struct sock_filter)BPF_STMT(code, k))
#define JUMP(code, k, yes, no) add((struct sock_filter)BPF_JUMP(code, k, yes, no))
#define LOAD(field) STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define REFUSE(code) STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (code))
#define ALLOW() STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static void refuse_call(int number, int code) {
  JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1);
  REFUSE(code);
}

/* `socket`: only families that live in the network namespace. */
static void check_sockets(void) {
  static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET};
  int count = sizeof families / sizeof *families;
  JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 0, count + 3);
  LOAD(args[0]);
  for (int i = 0; i < count; i++) JUMP(BPF_JMP | BPF_JEQ | BPF_K, families[i], count - i, 0);
  REFUSE(EAFNOSUPPORT);
  ALLOW();
}

/* Refuses a call when any of `bits` is set in its argument; the accumulator holds the number again afterwards. */
static void refuse_bits(int number, size_t argument_offset, unsigned bits) {
  JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 4);
  STMT(BPF_LD | BPF_W | BPF_ABS, argument_offset);
  JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1);
  REFUSE(EPERM);
  LOAD(nr);
}

static void install_filter(void) {
  static const int never[] = {
      SYS_unshare,       SYS_setns,          SYS_mount,         SYS_umount2,     SYS_pivot_root, SYS_swapon,
      SYS_swapoff,       SYS_reboot,         SYS_bpf,           SYS_perf_event_open, SYS_kexec_load, SYS_init_module,
      SYS_finit_module,  SYS_delete_module,  SYS_add_key,       SYS_keyctl,      SYS_request_key, SYS_open_by_handle_at,
      SYS_name_to_handle_at, SYS_userfaultfd, SYS_settimeofday, SYS_clock_settime, SYS_adjtimex,  SYS_acct,
      SYS_quotactl,      SYS_move_pages,     SYS_lookup_dcookie, SYS_vhangup,     SYS_syslog,    SYS_open_tree,
      SYS_move_mount,    SYS_fsopen,         SYS_fsconfig,      SYS_fsmount,     SYS_fspick,     SYS_mount_setattr,
      SYS_kexec_file_load,
  };
  LOAD(arch);
  JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 1, 0);
  REFUSE(ENOSYS);
  LOAD(nr);
#ifdef __x86_64__
  JUMP(BPF_JMP | BPF_JSET | BPF_K, X32_BIT, 0, 1);
  REFUSE(ENOSYS);
#endif
  refuse_call(SYS_io_uring_setup, ENOSYS);
  refuse_call(SYS_io_uring_enter, ENOSYS);
  refuse_call(SYS_io_uring_register, ENOSYS);
  check_sockets();
  if (!spec.is_unfiltered) {
    for (size_t i = 0; i < sizeof never / sizeof *never; i++) refuse_call(never[i], EPERM);
    refuse_call(SYS_clone3, ENOSYS); /* its flags lie in memory; the C library goes on with clone */
    refuse_bits(SYS_clone, offsetof(struct seccomp_data, args[0]), NEW_NAMESPACES);
    JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 4);
    LOAD(args[1]);
    JUMP(BPF_JMP | BPF_JEQ | BPF_K, TIOCSTI, 0, 1);
    REFUSE(EPERM);
    ALLOW();
  }
  ALLOW();
  struct sock_fprog program = {.len = filter_length, .filter = filter};
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0) die(errno, "install the filter of system calls");
}

static void limit(int what, rlim_t most) {
  struct rlimit now;
  if (getrlimit(what, &now) < 0) return;
  /* Raising is not always allowed; lowering always is. */
  struct rlimit wanted = {.rlim_cur = most < now.rlim_max ? most : now.rlim_max,
                          .rlim_max = most < now.rlim_max ? most : now.rlim_max};
  setrlimit(what, &wanted);
}

void parent_death(void) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
}

void use_default_signals(void) {
  sigset_t none;
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

void confine(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2];
  uint64_t kept = spec.uid == 0 ? spec.capabilities : 0;
  poke("/proc/self/oom_score_adj", FIRST_TO_GO);
  limit(RLIMIT_CORE, 0); /* the host's handler of crashes is none of a container's */
  limit(RLIMIT_NOFILE, MOST_FILES);
  if (spec.uid != 0) limit(RLIMIT_NPROC, MOST_PROCESSES);
  syscall(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, NULL);
  for (int cap = 0; cap < 64; cap++)
    if ((spec.capabilities >> cap & 1) == 0 && prctl(PR_CAPBSET_DROP, cap) < 0 && errno != EINVAL)
      die(errno, "drop capability %d", cap);
  if (setgroups(spec.groups_count, spec.groups) < 0) die(errno, "set the groups");
  if (setresgid(spec.gid, spec.gid, spec.gid) < 0) die(errno, "set the group id");
  if (spec.has_no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) die(errno, "set no_new_privs");
  install_filter();
  if (setresuid(spec.uid, spec.uid, spec.uid) < 0) die(errno, "set the user id");
  memset(data, 0, sizeof data);
  data[0].effective = data[0].permitted = (uint32_t)kept;
  data[1].effective = data[1].permitted = (uint32_t)(kept >> 32);
  if (syscall(SYS_capset, &header, data) < 0) die(errno, "drop capabilities");
  parent_death(); /* a change of ids takes it back, so it comes last */
  use_default_signals();
}

static void close_all(unsigned from, unsigned to) {
  if (from <= to && syscall(SYS_close_range, from, to, 0) < 0) die(errno, "close what is the host's");
}

void enter_work_folder(void) {
  const char *path = spec.cwd == NULL ? "/" : spec.cwd;
  char found[PATH_MAX];
  unsigned kept = complaint_fd < 3 ? 2 : (unsigned)complaint_fd;
  close_all(3, kept - 1);
  close_all(kept + 1, ~0U);
  host_proc = -1;
  if (chdir(path) < 0) die(errno, "enter %s", path);
  /* Of a folder that the root does not lead to, such as another container's, the kernel says `(unreachable)`. */
  if (syscall(SYS_getcwd, found, sizeof found) < 0 || found[0] != '/') die(0, "enter %s: it is not in the container", path);
}

static const char *path_of_spec(void) {
  for (size_t i = 0; i < spec.env_count; i++)
    if (strncmp(spec.env[i], "PATH=", 5) == 0) return spec.env[i] + 5;
  return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

void execute(const char *const *argv) {
  char path[4096];
  int error = ENOENT;
  const char *at = path_of_spec();
  syscall(SYS_close_range, 3, ~0U, 4 /* CLOSE_RANGE_CLOEXEC */);
  if (strchr(argv[0], '/') != NULL) {
    execve(argv[0], (char *const *)argv, (char *const *)spec.env);
    error = errno;
    at = NULL;
  }
  while (at != NULL) {
    size_t length = strcspn(at, ":");
    if (length > 0 && length + strlen(argv[0]) + 2 < sizeof path) {
      snprintf(path, sizeof path, "%.*s/%s", (int)length, at, argv[0]);
      execve(path, (char *const *)argv, (char *const *)spec.env);
      if (errno != ENOENT && errno != ENOTDIR) error = errno;
    }
    at = at[length] == ':' ? at + length + 1 : NULL;
  }
  complaint_code = error == ENOENT ? 127 : 126;
  if (error == ENOENT && strchr(argv[0], '/') == NULL) die(0, "exec: \"%s\": executable file not found in $PATH", argv[0]);
  die(error, "exec: \"%s\"", argv[0]);
}
