/*
 * What the files of `sluice-container` share: the program that makes pods and containers of Linux' namespaces.
 *
 *     sluice-container pod DIR            makes the namespaces of a pod, and a first process that holds them
 *     sluice-container run DIR            starts a container, and stays as its minder: log, attached clients, exit code
 *     sluice-container exec DIR [--tty] -- ARGV      runs a command in a running container
 *     sluice-container netns NETNS [--tty] -- ARGV   runs one in a network namespace that has no container
 *     sluice-container user ROOT USER     says which ids a user of an image has
 *
 * DIR is a folder of the kubelet's that only root enters; DIR/spec says what to do (spec.c). It is a small static program of
 * its own since one stays for each container, and since a thread of Node cannot enter a mount namespace.
 */
#ifndef SLUICE_LAUNCHER_H
#define SLUICE_LAUNCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Lists of a spec; what is longer is refused. */
#define MAX_ARGS 4096
#define MAX_ENV 8192
#define MAX_GROUPS 64
#define MAX_MOUNTS 512
#define MAX_RLIMITS 16
#define MAX_SPEC_BYTES (4 << 20)

/* Lines of a spec that bring something into a container: `ro|rw`, where from, and where to. */
struct mount_line {
  bool is_read_only;
  const char *source; /* of a volume: its name */
  const char *subpath; /* of a volume: within it, or "" */
  const char *target;
};

struct spec {
  /* of a pod */
  const char *netns, *hostname, *domainname;
  long long volumes_bytes;
  /* of a container */
  const char *attempt; /* files are called ATTEMPT.log, ATTEMPT.pids */
  const char *exits, *exit_name; /* the folder, and the file in it, that tells the end */
  pid_t sandbox;
  const char *sandbox_start;
  bool shares_pids, has_tty, has_stdin, is_stdin_once, is_root_read_only, has_no_new_privileges, is_unfiltered;
  bool needs_overlay; /* an image: without its layer there is nothing */
  long long root_bytes;
  uint64_t capabilities;
  uid_t uid;
  gid_t gid;
  size_t groups_count, args_count, env_count, binds_count, volumes_count, overlays_count, sysctls_count;
  gid_t groups[MAX_GROUPS];
  const char *cwd, *cgroup;
  const char *args[MAX_ARGS + 1], *env[MAX_ENV + 1];
  struct mount_line binds[MAX_MOUNTS], volumes[MAX_MOUNTS];
  const char *overlays[MAX_MOUNTS];     /* `TARGET\nLOWER\nLOWER...`, first lower on top; TARGET "" is the root */
  const char *sysctls[MAX_MOUNTS];      /* `net/ipv4/x=1` of a pod */
  const char *scratch[MAX_MOUNTS];      /* `NAME\nBYTES\nMODE\nGID`: volumes of a pod that have a limit of their own */
  size_t scratch_count;
};

extern struct spec spec;

/* --- main.c --- */
/* Says what failed, to whoever started it, and ends with 1; adds the errno's text when `error` is not 0. */
void die(int error, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));
/* Where die() says it: a descriptor; and the exit code it ends with. */
extern int complaint_fd, complaint_code;
/* Whether a socket came as descriptor 3. */
#define CONTROL_FD 3
extern bool has_control;

/* --- sealed.c --- */
/* Executes this program anew from a read-only mount, unless it runs from one: see there. */
void seal_own_file(char **argv);

/* --- spec.c --- */
void read_spec(int folder);
/* The start time of a process, field 22 of its stat file, opened in `proc_dir` (a descriptor of /proc/PID); "" when it has ended. */
void start_time(int proc_dir, char *text, size_t capacity);
/* The host's /proc, also once the host's root is gone. */
extern int host_proc;
/* A descriptor of the host's /proc/PID; -1 when there is none. */
int proc_of(pid_t pid);
/* The same of the process that began then; ends the program when it is gone. */
int open_process(pid_t pid, const char *start);
/* Enters a namespace (`net`, `mnt` ...) of such a process. */
void enter(int proc_dir, const char *name);
/* Writes a small file, under another name first. */
void write_file(int folder, const char *name, const char *text);
/* To /proc/self/oom_score_adj: a machine without memory ends what runs in pods before the agent and its dataplane. */
#define FIRST_TO_GO "1000"
/* Writes to a file of the kernel's; false when that fails. */
bool poke(const char *path, const char *text);

/* --- rootfs.c --- */
/* Takes hold of the pod's volumes, whose mount namespace only this reaches; the caller is back in its own afterwards. */
void take_volumes(int sandbox);
/* Makes a mount namespace with the container's file system as its root; all of the host's is gone from it. False: no overlay here, so
 * the system's folders are read only in it. */
bool make_root(int folder);
/* /proc and what is hidden of it: by the container's first process. */
void mount_proc(void);
/* The root of a pod's first process: empty but for the volumes. */
void make_pod_root(int folder);
void make_directories(const char *path);

/* --- confine.c --- */
/* Gives up what the container may not do: ids, capabilities, system calls. Nothing that needs rights comes after it. */
void confine(void);
/* Lets go of all descriptors but 0, 1, 2 and complaint_fd, and enters the work folder; ends the program when that is not in the container. */
void enter_work_folder(void);
void parent_death(void);
void use_default_signals(void);
/* Becomes a program, found in the container's own PATH; ends when it cannot. */
void execute(const char *const *argv) __attribute__((noreturn));

/* --- attach.c --- */
struct pollfd;
#define MAX_CLIENTS 4
void attach_listen(void);
/* Puts what is to be waited for into `fds`, at most MAX_CLIENTS + 2 of them; answers how many. */
size_t attach_wants(struct pollfd *fds);
void attach_serve(const struct pollfd *fds, size_t count);
/* Sends a frame to all who are attached. */
void attach_tell(uint8_t type, const void *bytes, size_t count);
/* Where the input of clients goes: the container's standard input, or its terminal; -1 for none. */
extern int input_fd;
extern int terminal_fd;

/* --- log.c --- */
void log_open(int folder, const char *name);
/* Takes what a stream said (1: stdout, 2: stderr). */
void log_take(int stream, const char *bytes, size_t count);
/* Writes what is gathered; with `is_end` also a last line without its newline. */
void log_flush(bool is_end);

/* --- terminal.c --- */
/* Makes a pair in the container's own /dev/pts; answers the master and gives the slave. */
int open_terminal(int *slave);
void take_terminal(int slave);
void resize_terminal(int master, const uint8_t size[4]);

/* --- users.c --- */
int user_main(int root, char *user);

/* --- pod.c, minder.c, exec.c --- */
int pod_main(int folder);
int run_main(int folder);
int exec_main(int folder, bool has_tty, char **argv);
int netns_main(const char *netns, bool has_tty, char **argv);

#endif
