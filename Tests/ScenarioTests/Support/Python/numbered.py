"""Sends numbered UDP datagrams at a steady rate, or notes which of them arrive.

usage: numbered.py receive PORT COUNT
       numbered.py send ADDRESS PORT COUNT RATE LENGTH

The receiver ends when it has all, or four seconds after the last one. It prints how many
arrived, how many of them twice or out of order, and the longest time without one.
"""
import json
import socket
import struct
import sys
import time

SO_RCVBUFFORCE = 33


def receive(port, count):
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 27)
    receiver.bind(("0.0.0.0", port))
    receiver.settimeout(20)
    print("ready", flush=True)
    seen = bytearray(count)
    arrived = twice = late = 0
    highest = -1
    longest = 0.0
    last = None
    try:
        while arrived < count:
            number = struct.unpack("!I", receiver.recv(2048)[:4])[0]
            now = time.monotonic()
            if last is None:
                receiver.settimeout(4)
            else:
                longest = max(longest, now - last)
            last = now
            twice += seen[number]
            arrived += not seen[number]
            seen[number] = 1
            late += number < highest
            highest = max(highest, number)
    except TimeoutError:
        pass
    report = {"arrived": arrived, "twice": twice, "late": late, "longest": longest}
    print(json.dumps(report), flush=True)


def send(address, port, count, rate, length):
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.connect((address, port))
    padding = bytes(length - 4)
    begin = time.monotonic()
    number = 0
    while number < count:
        due = min(count, int((time.monotonic() - begin) * rate) + 1)
        while number < due:
            sender.send(struct.pack("!I", number) + padding)
            number += 1
        time.sleep(0.0005)


def main():
    role, *rest = sys.argv[1:]
    if role == "receive":
        receive(*map(int, rest))
    else:
        send(rest[0], *map(int, rest[1:]))


main()
