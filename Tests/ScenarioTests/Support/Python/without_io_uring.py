"""Runs a program for which io_uring_setup(2) fails with EPERM, as in many containers.

usage: without_io_uring.py PROGRAM [ARGUMENT...]

The seccomp filter is of this process and what it runs only; the machine's io_uring stays as is.
"""
import ctypes
import os
import struct
import sys

IO_URING_SETUP = 425  # The same number on every architecture.
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
ALLOW, EPERM = 0x7FFF0000, 0x00050001


def instruction(code, then, otherwise, value):
    return struct.pack("HBBI", code, then, otherwise, value)


program = b"".join(
    [
        instruction(0x20, 0, 0, 0),  # Load the system call's number.
        instruction(0x15, 0, 1, IO_URING_SETUP),
        instruction(0x06, 0, 0, EPERM),
        instruction(0x06, 0, 0, ALLOW),
    ]
)
buffer = ctypes.create_string_buffer(program)
header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
for call in [(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, header)]:
    if libc.prctl(*call) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {call[0]}")
os.execvp(sys.argv[1], sys.argv[1:])
