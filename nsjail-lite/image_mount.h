/*
 * image_mount.h - an image as builders need it: a mount that can be idmapped.
 *
 * Host side, root, once per image. Most file systems can (ext4, xfs, btrfs, erofs, tmpfs); an overlay, as
 * inside a container, cannot: then the image is copied into memory for the life of the mount; before Linux 6.15 that
 * cannot be idmapped either.
 */
#ifndef NSJAIL_LITE_IMAGE_MOUNT_H
#define NSJAIL_LITE_IMAGE_MOUNT_H
#include <stdbool.h>

struct error;

/*
 * root_fd: the image's root, borrowed. On success *ret_fd is the caller's: the root itself or, with
 * *ret_is_copy, a detached tmpfs with a copy. Takes as long as the copy does. -EOPNOTSUPP: this kernel
 * has no way to map it.
 */
int image_mount(int root_fd, int *ret_fd, bool *ret_is_copy, struct error *err);
#endif
