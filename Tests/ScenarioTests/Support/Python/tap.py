"""Sends frames through a TAP as a virtual machine does that holds it open.

usage: tap.py INTERFACE < FRAMES

One frame a line, in hexadecimal: ten bytes of virtio_net_hdr, then the frame.
"""
import fcntl
import os
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000

tap = os.open("/dev/net/tun", os.O_RDWR)
flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR
fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", sys.argv[1].encode(), flags))
for line in sys.stdin:
    os.write(tap, bytes.fromhex(line))
# A packet socket reads what came before the interface lost its carrier, but not at once.
time.sleep(0.1)
