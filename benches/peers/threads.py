"""A chat server as tutorials show it: the standard library, one thread for each client.

Written for the benchmark, as a measure of what most people build first. In its favour it
differs from the tutorials in what they leave out and would be errors here: whole lines are
relayed, a lock keeps one order for all, small writes are not held back (TCP_NODELAY), and the
stack of a thread is small, so that many clients fit into memory.
"""

import socket
import sys
import threading

clients = []
lock = threading.Lock()


def broadcast(line, sender):
    with lock:
        for client in clients:
            if client is sender:
                continue
            try:
                client.sendall(line)
            except OSError:
                pass  # Its own thread notices that it has gone.


def handle(client, name):
    with lock:
        clients.append(client)
        client.sendall(b"Welcome!\n")
    try:
        for line in client.makefile("rb"):
            broadcast(b"<" + name + b"> " + line, client)
    except OSError:
        pass
    finally:
        with lock:
            clients.remove(client)
        client.close()


def main():
    threading.stack_size(128 * 1024)
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    server.bind(("127.0.0.1", int(sys.argv[1])))
    server.listen(1024)
    while True:
        client, address = server.accept()
        name = str(address[1]).encode()
        threading.Thread(target=handle, args=(client, name), daemon=True).start()


main()
