"""The part of systemd that a service sees, for tests: python3 test/systemd.py FOLDER PROGRAM ARGUMENTS...

Starts the program with NOTIFY_SOCKET (FOLDER/notify), WATCHDOG_USEC and what was kept of an earlier start (LISTEN_FDS); prints a line of
JSON for each datagram and each end; keeps descriptors as systemd does: by name, until they are let go of. A line on standard input
starts the program (again); its end ends it.
"""
import json, os, select, signal, socket, sys

folder, argv = sys.argv[1], sys.argv[2:]
path = os.path.join(folder, 'notify')
notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind(path)
kept = []  # (name, descriptor)
child = 0


def say(**facts):
    print(json.dumps(facts), flush=True)


def begin():
    pid = os.fork()
    if pid:
        return pid
    spare = [os.dup(fd) for _, fd in kept]
    high = [os.dup2(fd, 1000 + at, inheritable=False) for at, fd in enumerate(spare)]
    for at, fd in enumerate(high):
        os.dup2(fd, 3 + at, inheritable=True)
    os.environ.update(NOTIFY_SOCKET=path, WATCHDOG_USEC='3000000', WATCHDOG_PID=str(os.getpid()))
    if kept:
        names = ':'.join(name for name, _ in kept)
        os.environ.update(LISTEN_FDS=str(len(kept)), LISTEN_FDNAMES=names, LISTEN_PID=str(os.getpid()))
    os.dup2(os.open(os.path.join(folder, 'log'), os.O_WRONLY | os.O_CREAT | os.O_APPEND), 1)
    os.dup2(1, 2)
    os.execvp(argv[0], argv)


def take():
    text, fds, _, _ = socket.recv_fds(notify, 4096, 64)
    for fd in fds:
        os.set_inheritable(fd, False)
    words = dict(line.split('=', 1) for line in text.decode().split('\n') if '=' in line)
    if 'FDSTORE' in words:
        kept.extend((words['FDNAME'], fd) for fd in fds)
    if 'FDSTOREREMOVE' in words:
        for one in [one for one in kept if one[0] == words['FDNAME']]:
            os.close(one[1])
            kept.remove(one)
    say(words=words, kept=sorted(name for name, _ in kept), pid=child)


say(listening=True)
reaped, waker = os.pipe()
signal.signal(signal.SIGCHLD, lambda *_: os.write(waker, b'.'))
while True:
    ready, _, _ = select.select([notify, sys.stdin, reaped], [], [])
    if reaped in ready:
        os.read(reaped, 100)
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid:
            say(ended=pid, status=status)
    if sys.stdin in ready:
        if sys.stdin.readline() == '':
            break
        child = begin()
        say(began=child)
    if notify in ready:
        take()
if child:
    try:
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)
    except (ProcessLookupError, ChildProcessError):
        pass
