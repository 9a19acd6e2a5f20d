"""Sends pseudo-random bytes over a TCP connection both ways at once, and hashes both streams.

usage: transfer.py listen PORT BYTES [SECONDS]
       transfer.py connect ADDRESS PORT BYTES [SECONDS]

SECONDS spreads the sending over that time. Prints {"sent": HASH, "received": HASH, "bytes": N},
N being what was received, once both directions have ended.
"""
import hashlib
import json
import random
import socket
import sys
import threading
import time

# The length is prime: no part of the stream repeats at a multiple of a segment or of a page.
PATTERN_LENGTH = 3_000_017
PIECE = 1 << 20


def connect(address, port):
    """Tries for a while: the other side may not listen yet."""
    deadline = time.monotonic() + 5
    while True:
        try:
            return socket.create_connection((address, port), timeout=5)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def listen(port):
    listener = socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
    listener.settimeout(10)
    return listener.accept()[0]


def send(connection, count, seconds, seed, result):
    pattern = random.Random(seed).randbytes(PATTERN_LENGTH)
    digest = hashlib.sha256()
    piece = min(PIECE, PATTERN_LENGTH) if not seconds else 16384
    start = time.monotonic()
    sent = 0
    while sent < count:
        at = sent % PATTERN_LENGTH
        part = memoryview(pattern)[at : at + min(piece, count - sent)]
        connection.sendall(part)
        digest.update(part)
        sent += len(part)
        if seconds:
            time.sleep(max(0, start + seconds * sent / count - time.monotonic()))
    connection.shutdown(socket.SHUT_WR)
    result["sent"] = digest.hexdigest()


def receive(connection, result):
    digest = hashlib.sha256()
    buffer = bytearray(PIECE)
    received = 0
    while count := connection.recv_into(buffer):
        digest.update(memoryview(buffer)[:count])
        received += count
    result["received"] = digest.hexdigest()
    result["bytes"] = received


def main():
    role, *rest = sys.argv[1:]
    if role == "connect":
        connection = connect(rest[0], int(rest[1]))
        rest = rest[1:]
    else:
        connection = listen(int(rest[0]))
    count = int(rest[1])
    seconds = float(rest[2]) if len(rest) > 2 else 0
    connection.settimeout(30)
    result = {}
    sender = threading.Thread(target=send, args=(connection, count, seconds, role, result))
    sender.start()
    receive(connection, result)
    sender.join()
    print(json.dumps(result), flush=True)


main()
