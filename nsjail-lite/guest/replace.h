/* replace.h - a file's content exchanged in one step, as WRITE and EDIT want it. In a worker. */
#ifndef NSJAIL_LITE_GUEST_REPLACE_H
#define NSJAIL_LITE_GUEST_REPLACE_H
#include "nsjail-lite/guest/worker.h"

/*
 * Write content beside the file, then rename it over the file. A symlink is followed to where it
 * points to, also when nothing is there yet. Mode and owner of an existing file are kept; a new one
 * is 0644. Parents are made. 0 or what work_fail() returns.
 */
int replace_file(struct work *work, const char *content, size_t size);
#endif
