#pragma once

/// Loads and stores of memory that is shared with the kernel, with the ordering that its ring
/// protocols ask for. Swift's `Atomic` owns its storage, so it cannot be laid over a mapping.

#include <stdint.h>

static inline uint32_t weft_load_relaxed_u32(const uint32_t *address) {
    return __atomic_load_n(address, __ATOMIC_RELAXED);
}

static inline uint32_t weft_load_acquire_u32(const uint32_t *address) {
    return __atomic_load_n(address, __ATOMIC_ACQUIRE);
}

static inline void weft_store_release_u32(uint32_t *address, uint32_t value) {
    __atomic_store_n(address, value, __ATOMIC_RELEASE);
}

static inline void weft_store_release_u16(uint16_t *address, uint16_t value) {
    __atomic_store_n(address, value, __ATOMIC_RELEASE);
}
