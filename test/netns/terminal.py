"""Gives a program a terminal and talks to it: terminal.py ROWS COLUMNS STEPS PROGRAM ARGUMENT ...

STEPS is JSON, a list of ["wait", TEXT], ["send", TEXT], ["size", ROWS, COLUMNS]. Prints what the program showed, and ends with its exit code.
A text that does not come is the end: exit code 124.
"""
import fcntl, json, os, pty, select, signal, struct, sys, termios, time

PATIENCE = 60

rows, columns, steps, argv = int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3]), sys.argv[4:]
ready, go = os.pipe()
pid, terminal = pty.fork()
if pid == 0:
    os.close(go)
    os.read(ready, 1)
    os.execvp(argv[0], argv)


def resize(rows, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


resize(rows, columns)
os.close(ready)
os.close(go)
shown = b""


def read():
    """Reads once; false at the end."""
    global shown
    if not select.select([terminal], [], [], 1)[0]:
        return True
    try:
        got = os.read(terminal, 65536)
    except OSError:
        return False
    shown += got
    return got != b""


def finish(code):
    sys.stdout.write(shown.decode(errors="replace").replace("\r\n", "\n"))
    sys.exit(code)


seen = 0
for what, *arguments in steps:
    if what == "send":
        os.write(terminal, arguments[0].encode())
    if what == "size":
        resize(*arguments)
        os.kill(pid, signal.SIGWINCH)
    end = time.time() + PATIENCE
    while what == "wait" and shown.find(arguments[0].encode(), seen) < 0:
        if time.time() > end or not read():
            os.kill(pid, signal.SIGKILL)
            sys.stderr.write(f"did not come: {arguments[0]!r}\n")
            finish(124)
    if what == "wait":
        seen = shown.find(arguments[0].encode(), seen) + len(arguments[0])
while read():
    pass
finish(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
