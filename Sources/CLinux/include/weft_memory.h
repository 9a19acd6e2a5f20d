#pragma once

/// mallinfo2(3), which Glibc's module leaves out.

#include <malloc.h>
#include <stddef.h>

/// Bytes that this process has taken from malloc(3) and not given back.
static inline size_t weft_heap_bytes(void) {
    struct mallinfo2 information = mallinfo2();
    return information.uordblks + information.hblkhd;
}

#include <sys/resource.h>

/// Lets the process lock as much memory as it likes, if it may. Glibc's module leaves
/// RLIMIT_MEMLOCK out.
static inline void weft_unlimit_locked_memory(void) {
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    setrlimit(RLIMIT_MEMLOCK, &limit);
}
