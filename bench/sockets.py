"""Traffic that no packaged load generator makes, for scripts/bench: runs in the namespaces of the pods, which it enters by itself.

  sockets.py gso ADDRESS PORT SECONDS CLIENT SERVER      bursts of UDP in one call (UDP_SEGMENT), received with UDP_GRO; prints datagrams
  sockets.py town PORT SECONDS NETNS=ADDRESS ...         a TCP stream between each two pods, all at once; prints bytes, and the pods without any
"""
import os
import selectors
import socket
import sys
import time

UDP_SEGMENT, UDP_GRO = 103, 104  # linux/udp.h; Python 3.11 knows neither
SEGMENT_BYTES = 1200  # QUIC's smallest path
SEGMENTS = 50
PIECE = bytes(65536)
SETTLE_SEC = 0.3


def enter(netns):
    """Sockets made from now on are of this network namespace."""
    handle = os.open(f"/run/netns/{netns}", os.O_RDONLY)
    try:
        setns(handle)
    finally:
        os.close(handle)


def setns(handle):
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(handle, 0x40000000) != 0:  # CLONE_NEWNET
        raise OSError(ctypes.get_errno(), "setns")


def gso(address, port, seconds, client, server):
    enter(server)
    sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sink.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
    sink.setsockopt(socket.SOL_UDP, UDP_GRO, 1)
    sink.bind((address, port))
    if os.fork() == 0:
        send_bursts(address, port, seconds, client)
        os._exit(0)
    sink.settimeout(SETTLE_SEC)
    received, end = 0, time.monotonic() + seconds + 5
    buffer = bytearray(65536)
    started = False
    while time.monotonic() < end:
        try:
            received += sink.recv_into(buffer)
            started = True
        except TimeoutError:
            if started:
                break
    os.wait()
    print(received // SEGMENT_BYTES)


def send_bursts(address, port, seconds, client):
    enter(client)
    source = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    source.setsockopt(socket.SOL_UDP, UDP_SEGMENT, SEGMENT_BYTES)
    source.connect((address, port))
    burst = PIECE[: SEGMENT_BYTES * SEGMENTS]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            source.send(burst)
        except ConnectionRefusedError:
            pass


def town(port, seconds, pods):
    listeners = []
    for netns, address in pods[1::2]:
        enter(netns)
        listener = socket.create_server((address, port))
        listeners.append(listener)
    poll = selectors.EpollSelector()
    for (netns, _), (_, to), listener in zip(pods[0::2], pods[1::2], listeners):
        enter(netns)
        sender = socket.create_connection((to, port), timeout=30)
        receiver, _ = listener.accept()
        for one in (sender, receiver):
            one.setblocking(False)
        poll.register(sender, selectors.EVENT_WRITE)
        poll.register(receiver, selectors.EVENT_READ, [0, netns])
    buffer = bytearray(1 << 20)
    counts = [key.data for key in poll.get_map().values() if key.data is not None]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for key, _ in poll.select(0.1):
            try:
                if key.data is None:
                    key.fileobj.send(PIECE)
                else:
                    key.data[0] += key.fileobj.recv_into(buffer)
            except BlockingIOError:
                pass
    print(sum(count for count, _ in counts), " ".join(netns for count, netns in counts if count == 0))


def main():
    what, *rest = sys.argv[1:]
    if what == "gso":
        address, port, seconds, client, server = rest
        gso(address, int(port), float(seconds), client, server)
    elif what == "town":
        port, seconds, *pods = rest
        town(int(port), float(seconds), [pod.split("=") for pod in pods])
    else:
        sys.exit(f"sockets.py: unknown load {what}")


main()
