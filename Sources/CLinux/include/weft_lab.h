/// What Linux has and Swift's Glibc module leaves out because it hides GNU extensions: entering
/// a network namespace, and descriptors that do not leak into programs which others start.
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <linux/sched.h>
#include <sys/syscall.h>
#include <unistd.h>

/// Moves the calling thread into the network namespace behind `fd`. 0, or -1 with errno.
static inline int weft_enter_network_namespace(int fd) {
    return (int)syscall(SYS_setns, fd, CLONE_NEWNET);
}

/// A pipe whose ends are closed on exec; the read end does not block. 0, or -1 with errno.
static inline int weft_pipe(int ends[2]) {
    // O_NONBLOCK belongs to an open file: the write end, a file of its own, still blocks.
    if (syscall(SYS_pipe2, ends, O_CLOEXEC) != 0) return -1;
    return fcntl(ends[0], F_SETFL, O_NONBLOCK);
}

/// An empty file in memory, closed on exec. A descriptor, or -1 with errno.
static inline int weft_anonymous_file(void) {
    return (int)syscall(SYS_memfd_create, "weft", MFD_CLOEXEC);
}
