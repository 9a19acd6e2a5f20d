#pragma once

/// Packet sockets, packet(7), and the classic BPF filters that sockets take.

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#ifndef SOL_PACKET
#define SOL_PACKET 263
#endif
#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

/// A descriptor of the namespace that a socket is in, or a negative errno.
static inline int weft_socket_namespace(int fd) {
    int namespace_fd = ioctl(fd, SIOCGSKNS, 0);
    return namespace_fd < 0 ? -errno : namespace_fd;
}

/// Lets the socket receive nothing at all: a filter whose one instruction keeps no byte.
/// Gives 0 or a negative errno.
static inline int weft_refuse_all(int fd) {
    struct sock_filter code[] = {{.code = BPF_RET | BPF_K, .k = 0}};
    struct sock_fprog program = {.len = 1, .filter = code};
    int failed = setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
    return failed < 0 ? -errno : 0;
}
