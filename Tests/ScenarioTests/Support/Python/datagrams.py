"""Sends numbered UDP datagrams and checks them on arrival.

usage: datagrams.py receive PORT COUNT
       datagrams.py send ADDRESS PORT COUNT LENGTH BATCH

BATCH datagrams go to the kernel as one superframe (UDP_SEGMENT), so that a device that takes
them gets them whole. Each datagram holds its number and bytes that follow from the number. The
receiver prints {"intact": N, "broken": N}: it ends a second after the last datagram.
"""
import json
import random
import socket
import struct
import sys
import time

UDP_SEGMENT = 103
NOISE = random.Random("datagrams").randbytes(1 << 17)


def datagram(number, length):
    at = number * 7919 % (1 << 16)
    return struct.pack("!II", number, length) + NOISE[at : at + length - 8]


def receive(port, count):
    receiver = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    receiver.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 25)
    receiver.bind(("::", port))
    receiver.settimeout(10)
    print("ready", flush=True)
    intact = broken = 0
    try:
        while intact + broken < count:
            data = receiver.recv(65536)
            receiver.settimeout(1)
            number, length = struct.unpack("!II", data[:8])
            if data == datagram(number, length):
                intact += 1
            else:
                broken += 1
    except TimeoutError:
        pass
    print(json.dumps({"intact": intact, "broken": broken}), flush=True)


def send(address, port, count, length, batch):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sender = socket.socket(family, socket.SOCK_DGRAM)
    sender.connect((address, port))
    if batch > 1:
        sender.setsockopt(socket.SOL_UDP, UDP_SEGMENT, length)
    for first in range(0, count, batch):
        numbers = range(first, min(first + batch, count))
        sender.send(b"".join(datagram(number, length) for number in numbers))
        # Slower than anything on the way: a datagram that is missing was lost, not crowded out.
        time.sleep(0.001)


def main():
    role, *rest = sys.argv[1:]
    if role == "receive":
        receive(*map(int, rest))
    else:
        send(rest[0], *map(int, rest[1:]))


main()
