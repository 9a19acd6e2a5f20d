#pragma once

/// Event counters, with which other threads wake a worker; not in Swift's Glibc module.

#include <sys/eventfd.h>
