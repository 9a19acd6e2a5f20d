#pragma once

/// Capabilities of the calling thread, capabilities(7), without libcap. A set is a bit for each.

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/// Those that the thread may use.
static inline uint64_t weft_permitted_capabilities(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}, {0}};
    if (syscall(SYS_capget, &header, data) != 0) return 0;
    return (uint64_t)data[1].permitted << 32 | data[0].permitted;
}

/// Leaves the thread, and the threads that it starts later, no others than these. 0 or -errno.
static inline int weft_keep_capabilities(uint64_t wanted) {
    uint64_t kept = weft_permitted_capabilities() & wanted;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}, {0}};
    for (int half = 0; half < 2; half++) {
        data[half].permitted = data[half].effective = (uint32_t)(kept >> 32 * half);
    }
    return syscall(SYS_capset, &header, data) != 0 ? -errno : 0;
}

/// No program that the thread runs, or a thread that it starts, gets more than it has.
static inline void weft_gain_no_privileges(void) { prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }
