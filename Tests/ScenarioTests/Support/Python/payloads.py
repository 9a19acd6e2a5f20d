"""Sends UDP payloads as they are given, one in hexadecimal a line; an empty line is an empty one.

usage: payloads.py ADDRESS PORT [FIRST_SOURCE_PORT] < PAYLOADS

With FIRST_SOURCE_PORT each goes from a port of its own, counted up from there.
"""
import socket
import sys

address, port = sys.argv[1], int(sys.argv[2])
first = int(sys.argv[3]) if len(sys.argv) > 3 else 0
family = socket.AF_INET6 if ":" in address else socket.AF_INET
for index, line in enumerate(sys.stdin):
    if index == 0 or first:
        sender = socket.socket(family, socket.SOCK_DGRAM)
        sender.bind(("", first + index if first else 0))
    sender.sendto(bytes.fromhex(line), (address, port))
