{
  "targets": [
    {
      "target_name": "sluice_native",
      "sources": [
        "addon.c",
        "arguments.c",
        "batch.c",
        "closing.c",
        "datagrams.c",
        "inet-socket.c",
        "map-file.c",
        "netlink.c",
        "netns.c",
        "packet-ring.c",
        "pipe.c",
        "poller.c",
        "ports.c",
        "send.c",
        "system.c",
        "unix-socket.c",
        "watch.c"
      ],
      "defines": ["NAPI_VERSION=8", "_GNU_SOURCE"],
      "cflags": ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-Wshadow", "-fvisibility=hidden"],
      "ldflags": ["-Wl,-z,nodelete"]
    }
  ]
}
