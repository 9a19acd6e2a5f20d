// <liburing.h> asks for _XOPEN_SOURCE, which changes the fields of fd_set; settling the feature
// macros first keeps the C library's types the same as in every other module.
#include <sys/types.h>

#include <liburing.h>
