/* Terminals, made in the container's own /dev/pts, so that its programs find the name of theirs. */
#define _GNU_SOURCE
#include "launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

int open_terminal(int *slave) {
  int locked = 0, master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (master < 0 || ioctl(master, TIOCSPTLCK, &locked) < 0) die(errno, "open a terminal");
  *slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (*slave < 0 || fchown(*slave, spec.uid, -1) < 0) die(errno, "open a terminal");
  struct winsize size = {.ws_row = 24, .ws_col = 80};
  ioctl(master, TIOCSWINSZ, &size);
  return master;
}

void take_terminal(int slave) {
  if (ioctl(slave, TIOCSCTTY, 0) < 0) die(errno, "take the terminal");
}

void resize_terminal(int master, const uint8_t size[4]) {
  struct winsize wanted = {.ws_row = size[0] << 8 | size[1], .ws_col = size[2] << 8 | size[3]};
  ioctl(master, TIOCSWINSZ, &wanted);
}
