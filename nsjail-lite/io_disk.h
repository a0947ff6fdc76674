/*
 * io_disk.h - which disk is below an open file, for limits of io: the kernel limits whole disks only.
 */
#ifndef NSJAIL_LITE_IO_DISK_H
#define NSJAIL_LITE_IO_DISK_H
#include <stdint.h>
#include <sys/types.h>

struct error;

/*
 * The whole disk of the file system that fd is on. -ENODEV: there is none, as below overlay and tmpfs;
 * nothing can limit io there.
 */
int io_disk_find(int fd, uint32_t *ret_major, uint32_t *ret_minor, struct error *err);

/* The whole disk of a device, by the directory that is /sys/dev/block; for tests. */
int io_disk_of(
	int sys_fd, dev_t device, uint32_t *ret_major, uint32_t *ret_minor, struct error *err);
#endif
