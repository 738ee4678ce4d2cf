# SPDX-License-Identifier: MIT
import os
import socket
import tempfile
import threading

import psutil


def smoke():
    me = psutil.Process()
    with tempfile.NamedTemporaryFile() as file, socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        opened = file.name in [each.path for each in me.open_files()]
        heard = [each.status for each in me.net_connections() if each.laddr.port == port]
    try:
        psutil.Process(2**30)
    except psutil.NoSuchProcess as error:
        refused = type(error).__name__
    memory = psutil.virtual_memory()
    return {
        "me": me.pid == os.getpid() and me.ppid() == os.getppid() and me.is_running(),
        "memory": me.memory_info().rss > 2**20 and memory.total > memory.available > 0,
        "maps": any("libc" in each.path for each in me.memory_maps()),
        "threads": threading.get_native_id() in [each.id for each in me.threads()],
        "times": me.cpu_times().user > 0 and psutil.cpu_times().user > 0,
        "processors": psutil.cpu_count() == os.cpu_count(),
        "affinity": sorted(os.sched_getaffinity(0)) == me.cpu_affinity(),
        "limit": me.rlimit(psutil.RLIMIT_CORE) == psutil.Process(me.pid).rlimit(psutil.RLIMIT_CORE),
        "disk": psutil.disk_usage("/").total > 0,
        "interfaces": "lo" in psutil.net_if_addrs() and psutil.net_if_stats()["lo"].isup,
        "exists": psutil.pid_exists(os.getpid()),
        "nice": me.nice() == os.getpriority(os.PRIO_PROCESS, 0),
        "opened": opened,
        "heard": heard,
        "refused": refused,
    }
