/// Header-only shims for what Swift cannot import by itself: function-like macros, ioctl numbers,
/// unions. One header per subject; every function is `static inline` and starts with `weft_`.
#pragma once

#include "weft_atomic.h"
#include "weft_capability.h"
#include "weft_cpu.h"
#include "weft_ethtool.h"
#include "weft_eventfd.h"
#include "weft_lab.h"
#include "weft_memory.h"
#include "weft_message.h"
#include "weft_netlink.h"
#include "weft_packet.h"
#include "weft_tun.h"
#include "weft_udp.h"
#include "weft_uring.h"
