/// Header-only shims for what Swift cannot import by itself: function-like macros, ioctl numbers,
/// unions. One header per subject; every function is `static inline` and starts with `weft_`.
#pragma once
