#pragma once

/// What io_uring has that older <linux/io_uring.h> lack. Numbers are kernel ABI.
/// This header includes neither <liburing.h> nor <linux/io_uring.h>: they define the same types.

#include <stdint.h>

/// IORING_OP_READ_MULTISHOT (Linux 6.7): reads into provided buffers until told to stop.
static const uint8_t weft_ioring_op_read_multishot = 49;
