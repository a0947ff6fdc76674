/*
 * workspace_size.h - how much a directory holds on its disk. Blocks for as long as that takes.
 *
 * Its tree may be hostile: no link is followed and no other file system entered; names are not looked at.
 */
#ifndef SUPERVISOR_WORKSPACE_SIZE_H
#define SUPERVISOR_WORKSPACE_SIZE_H
#include <stdint.h>

#define WORKSPACE_DEPTH_MAX 256 /* directories in each other; beyond that nothing is measured */

/*
 * Bytes of disk of the directory `name`, which is in the directory `at`, and all below, each file once
 * however many names it has there, and 4096 for each file and directory; the count ends once it is beyond
 * enough_bytes. UINT64_MAX: it cannot be measured. 0 when there is no such.
 */
uint64_t workspace_size(int at, const char *name, uint64_t enough_bytes);
#endif
