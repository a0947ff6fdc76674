/* file.h - the file requests, each in its worker. What they mean stands in proto/guest.h. */
#ifndef NSJAIL_LITE_GUEST_FILE_H
#define NSJAIL_LITE_GUEST_FILE_H
#include <sys/stat.h>

#include "nsjail-lite/guest/worker.h"

work_function file_read, file_write, file_edit, file_stat, file_list;

/* work->path for reading, if it is a regular file. An fd, or what work_fail() returns. */
int file_open(struct work *work, struct stat *ret_stat);

void file_fill_stat(struct guest_stat *to, const struct stat *from);
#endif
