#pragma once

/// Sending several messages with one system call, sendmmsg(2), which Glibc's module hides as a
/// GNU extension.

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/// struct mmsghdr under a name of our own.
struct weft_message {
    struct msghdr header;
    /// Bytes sent.
    unsigned int length;
};

/// Sends `count` descriptors, 253 at most, with some bytes; how many bytes, or -errno.
static inline int weft_send_descriptors(
    int fd, void *address, unsigned int address_length, void *bytes, size_t length,
    const int *descriptors, unsigned int count) {
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(253 * sizeof(int))];
    } control;
    struct iovec part = {.iov_base = bytes, .iov_len = length};
    struct msghdr message = {
        .msg_name = address, .msg_namelen = address_length, .msg_iov = &part, .msg_iovlen = 1};
    if (count > 253) return -EINVAL;
    if (count > 0) {
        memset(&control, 0, sizeof control);
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(&control.header), descriptors, count * sizeof(int));
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
    }
    long sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    return sent < 0 ? -errno : (int)sent;
}

/// Receives bytes, and descriptors, 253 at most, that are closed on exec; how many bytes, or
/// -errno.
static inline int weft_receive_descriptors(
    int fd, void *bytes, size_t length, int *descriptors, unsigned int *count) {
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(253 * sizeof(int))];
    } control;
    struct iovec part = {.iov_base = bytes, .iov_len = length};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1,
        .msg_control = &control, .msg_controllen = sizeof control};
    *count = 0;
    long received = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    if (received < 0) return -errno;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
        *count = (unsigned int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(descriptors, CMSG_DATA(header), *count * sizeof(int));
    }
    return (int)received;
}

/// Sends `count` messages; how many were taken, or -errno if the first was not.
static inline int weft_send_messages(int fd, struct weft_message *messages, unsigned int count) {
    long sent = syscall(SYS_sendmmsg, fd, messages, count, 0);
    return sent < 0 ? -errno : (int)sent;
}
