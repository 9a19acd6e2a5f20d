#pragma once

/// TUN/TAP requests (Documentation/networking/tuntap.rst). Each gives 0 or a negative errno.

#include <errno.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20 /* Linux 6.2: I can handle USO for IPv4 packets */
#define TUN_F_USO6 0x40 /* ... for IPv6 packets */
#endif

/// Opens a queue of the interface `name`, which is created if it does not exist.
/// `flags` are added to those of a TAP with virtio headers: 0 or IFF_MULTI_QUEUE.
static inline int weft_tun_attach(int fd, const char *name, int flags) {
    struct ifreq request;
    memset(&request, 0, sizeof request);
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    request.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | flags);
    return ioctl(fd, TUNSETIFF, &request) < 0 ? -errno : 0;
}

/// The name that the queue's interface has now: IFNAMSIZ bytes, ended by a zero.
static inline int weft_tun_name(int fd, char *name) {
    struct ifreq request;
    memset(&request, 0, sizeof request);
    if (ioctl(fd, TUNGETIFF, &request) < 0) return -errno;
    memcpy(name, request.ifr_name, IFNAMSIZ);
    return 0;
}

/// IFF_* flags of the queue and its interface, or a negative errno.
static inline int weft_tun_flags(int fd) {
    struct ifreq request;
    memset(&request, 0, sizeof request);
    if (ioctl(fd, TUNGETIFF, &request) < 0) return -errno;
    return (unsigned short)request.ifr_flags;
}

/// A descriptor of the namespace that the queue's interface is in now, or a negative errno.
static inline int weft_tun_namespace(int fd) {
    int namespace_fd = ioctl(fd, TUNGETDEVNETNS, 0);
    return namespace_fd < 0 ? -errno : namespace_fd;
}

static inline int weft_tun_set_header_size(int fd, int bytes) {
    return ioctl(fd, TUNSETVNETHDRSZ, &bytes) < 0 ? -errno : 0;
}

/// A send buffer without limit: below INT_MAX the driver leaves its fast path.
static inline int weft_tun_set_unlimited_buffer(int fd) {
    int bytes = INT_MAX;
    return ioctl(fd, TUNSETSNDBUF, &bytes) < 0 ? -errno : 0;
}

static inline int weft_tun_set_offload(int fd, unsigned int features) {
    return ioctl(fd, TUNSETOFFLOAD, (unsigned long)features) < 0 ? -errno : 0;
}

static inline int weft_tun_set_persistent(int fd, int on) {
    return ioctl(fd, TUNSETPERSIST, (unsigned long)on) < 0 ? -errno : 0;
}

static inline int weft_tun_set_owner(int fd, unsigned int uid) {
    return ioctl(fd, TUNSETOWNER, (unsigned long)uid) < 0 ? -errno : 0;
}

static inline int weft_tun_set_group(int fd, unsigned int gid) {
    return ioctl(fd, TUNSETGROUP, (unsigned long)gid) < 0 ? -errno : 0;
}
