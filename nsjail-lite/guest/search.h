/* search.h - GLOB and GREP, each in its worker. What they mean stands in proto/guest.h. */
#ifndef NSJAIL_LITE_GUEST_SEARCH_H
#define NSJAIL_LITE_GUEST_SEARCH_H
#include "nsjail-lite/guest/worker.h"

work_function search_glob, search_grep;

/*
 * A path below work->path as the client gets it, terminator included: behind the path that it named.
 * "" is that path itself.
 */
size_t search_path_size(const struct work *work, const char *path);
void search_send_path(struct work *work, const char *path);
#endif
