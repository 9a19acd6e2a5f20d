"""Sends frames as they are given, one in hexadecimal a line, to an interface.

usage: frames.py INTERFACE < FRAMES
"""
import socket
import sys

sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
sender.bind((sys.argv[1], 0))
for line in sys.stdin:
    sender.send(bytes.fromhex(line))
