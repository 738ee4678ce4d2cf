# SPDX-License-Identifier: MIT
import gevent
from gevent import event, lock, pool, queue, server, socket, threadpool


def echo(connection, address):
    with connection:
        while data := connection.recv(100):
            connection.sendall(data.upper())


def talk(port, text):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(text)
        return connection.recv(100)


def produce(channel):
    for each in range(3):
        channel.put(each)
        gevent.sleep(0)
    channel.put(StopIteration)


def guarded(semaphore, order, name):
    with semaphore:
        order.append(name)
        gevent.sleep(0.001)
        order.append(name)


def in_thread():
    threads = threadpool.ThreadPool(1)
    try:
        return threads.spawn(sum, range(10)).get()
    finally:
        threads.kill()


def smoke():
    listener = server.StreamServer(("127.0.0.1", 0), echo)
    listener.start()
    jobs = [gevent.spawn(talk, listener.server_port, b"text %d" % each) for each in range(5)]
    gevent.joinall(jobs, timeout=10)
    listener.stop()
    channel = queue.Queue(1)
    producer = gevent.spawn(produce, channel)
    semaphore, order = lock.BoundedSemaphore(1), []
    gevent.joinall([gevent.spawn(guarded, semaphore, order, each) for each in "ab"])
    ready = event.AsyncResult()
    gevent.spawn_later(0.01, ready.set, 42)
    killed = gevent.spawn(gevent.sleep, 100)
    gevent.sleep(0)
    killed.kill()
    try:
        with gevent.Timeout(0.01):
            gevent.sleep(100)
    except gevent.Timeout as timeout:
        timed_out = str(timeout)
    return {
        "talks": [each.value for each in jobs],
        "queue": (list(channel), producer.get()),
        "order": order,
        "ready": ready.get(timeout=10),
        "killed": (killed.ready(), isinstance(killed.value, gevent.GreenletExit)),
        "timed out": timed_out,
        "pool": pool.Pool(3).map(lambda each: each * each, range(10)),
        "thread": in_thread(),
        "resolved": socket.gethostbyname("127.0.0.1"),
        "loop": type(gevent.get_hub().loop).__module__,
    }
