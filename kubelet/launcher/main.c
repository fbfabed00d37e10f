/* Reads the command line, and says what failed. */
#define _GNU_SOURCE
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct spec spec;
int complaint_fd = 2, complaint_code = 1;
bool has_control;

void die(int error, const char *format, ...) {
  char text[1024];
  va_list args;
  va_start(args, format);
  int length = vsnprintf(text, sizeof text - 64, format, args);
  va_end(args);
  if (length < 0) length = 0;
  if (length > (int)sizeof text - 65) length = sizeof text - 65;
  if (error != 0) length += snprintf(text + length, 60, ": %s", strerror(error));
  text[length++] = '\n';
  if (write(complaint_fd, text, length) < 0) {
    /* nobody listens any more */
  }
  _exit(complaint_code);
}

static char **command_of(int argc, char **argv, bool *has_tty) {
  *has_tty = argc > 3 && strcmp(argv[3], "--tty") == 0;
  int from = *has_tty ? 4 : 3;
  if (argc > from && strcmp(argv[from], "--") == 0) from++;
  if (argc <= from) die(0, "sluice-container: wanted a command");
  return argv + from;
}

int main(int argc, char **argv) {
  bool has_tty;
  struct stat status;
  has_control = fstat(CONTROL_FD, &status) == 0 && S_ISSOCK(status.st_mode); /* before a file of ours has its number */
  if (argc < 3) die(0, "sluice-container: wanted pod|run|exec DIR, netns NETNS or user ROOT USER");
  umask(022);
  signal(SIGPIPE, SIG_IGN);
  if (strcmp(argv[1], "netns") == 0) {
    char **command = command_of(argc, argv, &has_tty);
    return netns_main(argv[2], has_tty, command);
  }
  if (strcmp(argv[1], "user") == 0) {
    int root = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0 || argc != 4) die(root < 0 ? errno : EINVAL, "open the image's files");
    return user_main(root, argv[3]);
  }
  seal_own_file(argv);
  int folder = open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (folder < 0) die(errno, "open %s", argv[2]);
  read_spec(folder);
  if (strcmp(argv[1], "pod") == 0) return pod_main(folder);
  if (strcmp(argv[1], "run") == 0) return run_main(folder);
  if (strcmp(argv[1], "exec") != 0) die(0, "sluice-container: unknown: %s", argv[1]);
  char **command = command_of(argc, argv, &has_tty);
  return exec_main(folder, has_tty, command);
}
