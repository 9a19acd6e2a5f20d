#pragma once

/// Types and numbers of rtnetlink(7).

#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
