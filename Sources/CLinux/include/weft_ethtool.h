#pragma once

/// Asking a network driver, through the ioctl of ethtool(8).

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>

/// Hands one of ethtool's command structures to an interface's driver; 0 or a negative errno.
static inline int weft_ethtool(int fd, const char *interface, void *command) {
    struct ifreq request;
    memset(&request, 0, sizeof request);
    strncpy(request.ifr_name, interface, IFNAMSIZ - 1);
    request.ifr_data = (char *)command;
    return ioctl(fd, SIOCETHTOOL, &request) < 0 ? -errno : 0;
}
