"""Advertises a router once, as RFC 4861 section 4.2 has it.

usage: router.py INTERFACE
"""
import socket
import struct
import sys

interface = sys.argv[1]
sender = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
with open(f"/sys/class/net/{interface}/address") as file:
    mac = bytes.fromhex(file.read().strip().replace(":", ""))
# Type, code, checksum (the kernel's), hop limit, flags, lifetime, reachable time, retransmission
# timer; then the source link-layer address option.
message = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0) + bytes([1, 1]) + mac
sender.sendto(message, ("ff02::1", 0, 0, socket.if_nametoindex(interface)))
