#pragma once

/// Spinning, and staying on one CPU.

#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/// Tells the CPU that this is a spinning loop.
static inline void weft_cpu_relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}

/// Keeps the calling thread on one CPU, 0 to 1023; 0, or -1 with errno. By number, because
/// sched.h shows its macros only to GNU C.
static inline int weft_pin_to_cpu(int cpu) {
    unsigned long mask[1024 / (8 * sizeof(unsigned long))] = {0};
    if (cpu < 0 || cpu >= 1024) return -1;
    mask[cpu / (8 * sizeof(unsigned long))] |= 1ul << (cpu % (8 * sizeof(unsigned long)));
    return (int)syscall(SYS_sched_setaffinity, 0, sizeof mask, mask);
}

/// How many CPUs the process may use; their numbers go to `cpus`, at most `capacity`.
static inline int weft_allowed_cpus(int *cpus, int capacity) {
    unsigned long mask[1024 / (8 * sizeof(unsigned long))] = {0};
    long bytes = syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);
    int count = 0;
    for (int cpu = 0; cpu < 8 * bytes && count < capacity; cpu++) {
        if (mask[cpu / (8 * sizeof(unsigned long))] >> (cpu % (8 * sizeof(unsigned long))) & 1)
            cpus[count++] = cpu;
    }
    return count;
}

/// Names the calling thread, at most 15 bytes.
static inline void weft_name_thread(const char *name) {
    prctl(PR_SET_NAME, name, 0, 0, 0);
}

/// Lets the calling thread's sleeps end when they are due: by default the kernel may add 50 us.
static inline void weft_precise_sleep(void) {
    prctl(PR_SET_TIMERSLACK, 1ul, 0, 0, 0);
}

/// CLOCK_MONOTONIC in nanoseconds; read in user space, in about 25 ns.
static inline uint64_t weft_nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/// Has the CPU fetch the cache line of an address that need not be readable.
static inline void weft_prefetch(const void *address) { __builtin_prefetch(address); }
