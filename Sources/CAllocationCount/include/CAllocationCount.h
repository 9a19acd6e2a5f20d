/// Counts a thread's allocations: linked into a program, this replaces malloc(3) and its kin by
/// the same of the C library with a count in front ("Replacing malloc" in the glibc manual). For
/// tests and benchmarks that assert that something allocates nothing; no daemon links it.
#pragma once

#include <stdint.h>

/// Blocks that this thread has taken, or has had resized, since it began.
uint64_t weft_allocation_count(void);
