#pragma once

/// mallinfo2(3), which Glibc's module leaves out.

#include <malloc.h>
#include <stddef.h>

/// Bytes that this process has taken from malloc(3) and not given back.
static inline size_t weft_heap_bytes(void) {
    struct mallinfo2 information = mallinfo2();
    return information.uordblks + information.hblkhd;
}
