/* Runs another program as this one was run: the same environment but for CNI_COMMAND, its standard error being ours. */
#include "sluice-cni.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM_MS 60000

bool find_plugin(const char *name, char *path, size_t capacity) {
  const char *folders = getenv("CNI_PATH");
  if (!folders || !*name || strchr(name, '/')) return false;
  while (*folders) {
    size_t length = strcspn(folders, ":");
    int written = snprintf(path, capacity, "%.*s/%s", (int)length, folders, name);
    if (length > 0 && written > 0 && (size_t)written < capacity && access(path, X_OK) == 0) return true;
    folders += length + (folders[length] == ':');
  }
  return false;
}

static void become(const char *file, char *const argv[], const char *command, const int input[2], const int output[2]) {
  signal(SIGPIPE, SIG_DFL);
  setenv("CNI_COMMAND", command, 1);
  if (dup2(input[0], STDIN_FILENO) >= 0 && dup2(output[1], STDOUT_FILENO) >= 0) execvp(file, argv);
  _exit(127);
}

/* Feeds and reads the program until it has closed its output; NULL, or what was wrong. */
static const char *talk(int to, int from, const struct text *input, struct text *output) {
  int64_t until = now_ms() + PROGRAM_MS;
  size_t sent = 0;
  fcntl(to, F_SETFL, O_NONBLOCK);
  for (;;) {
    struct pollfd ready[2] = {{.fd = from, .events = POLLIN}, {.fd = to, .events = POLLOUT}};
    int64_t left = until - now_ms();
    int polled = left > 0 ? poll(ready, to < 0 ? 1 : 2, (int)left) : 0;
    if (polled < 0 && errno == EINTR) continue;
    if (polled <= 0) {
      if (to >= 0) close(to);
      return "did not end in time";
    }
    if (to >= 0 && ready[1].revents) {
      ssize_t wrote = write(to, input->bytes + sent, input->length - sent);
      if (wrote > 0) sent += (size_t)wrote;
      /* One that does not read its input may do well without. */
      if (sent == input->length || (wrote < 0 && errno != EAGAIN && errno != EINTR)) {
        close(to);
        to = -1;
      }
    }
    if (!ready[0].revents) continue;
    char piece[65536];
    ssize_t got = read(from, piece, sizeof piece);
    if (got > 0) add_bytes(output, piece, (size_t)got);
    if (got == 0 || output->length > INPUT_LIMIT) {
      if (to >= 0) close(to);
      return got == 0 ? NULL : "said more than 1 MiB";
    }
  }
}

void run_program(const char *file, char *const argv[], const char *command, const struct text *input, struct ending *ending) {
  int to[2], from[2];
  *ending = (struct ending){.exit = -1};
  if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0) {
    snprintf(ending->problem, sizeof ending->problem, "run %.100s: %s", file, strerror(errno));
    return;
  }
  pid_t child = fork();
  if (child == 0) become(file, argv, command, to, from);
  close(to[0]);
  close(from[1]);
  const char *problem = child < 0 ? strerror(errno) : talk(to[1], from[0], input, &ending->output);
  close(from[0]);
  if (child > 0) {
    int status = 0;
    if (problem) kill(child, SIGKILL);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
    if (!problem) ending->exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  if (problem) snprintf(ending->problem, sizeof ending->problem, "run %.100s: it %s", file, problem);
  else if (ending->exit == 127 && ending->output.length == 0)
    snprintf(ending->problem, sizeof ending->problem, "run %.100s: it could not be started", file);
}
