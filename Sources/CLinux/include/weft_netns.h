#pragma once

/// Network namespaces: setns(2) is hidden behind _GNU_SOURCE.

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

/// Moves the calling thread into the network namespace `fd`; gives 0 or a negative errno.
static inline int weft_enter_network_namespace(int fd) {
    const int clone_newnet = 0x40000000;
    return syscall(SYS_setns, fd, clone_newnet) < 0 ? -errno : 0;
}
