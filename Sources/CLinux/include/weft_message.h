#pragma once

/// Sending several messages with one system call, sendmmsg(2), which Glibc's module hides as a
/// GNU extension.

#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/// struct mmsghdr under a name of our own.
struct weft_message {
    struct msghdr header;
    /// Bytes sent.
    unsigned int length;
};

/// Sends `count` messages; how many were taken, or -errno if the first was not.
static inline int weft_send_messages(int fd, struct weft_message *messages, unsigned int count) {
    long sent = syscall(SYS_sendmmsg, fd, messages, count, 0);
    return sent < 0 ? -errno : (int)sent;
}
