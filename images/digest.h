/*
 * digest.h - the digest of a tree: the SHA-256 of the list of its entries (file_list.h).
 */
#ifndef IMAGES_DIGEST_H
#define IMAGES_DIGEST_H
#include <stddef.h>
#include <stdint.h>

#include "images/image.h"

struct digest_tree {
	char digest[IMAGE_DIGEST_MAX];
	uint64_t bytes; /* of regular files */
	uint64_t entries;
	char *list; /* terminated */
	size_t list_size;
};

/* Walk the tree. expected_bytes gives the progress its whole; 0: unknown. Finish with digest_finish(). */
int digest_compute(int root_fd, uint64_t expected_bytes, const struct image_progress *progress,
	struct digest_tree *ret_tree, struct error *err);
void digest_finish(struct digest_tree *tree);

/* "sha256:HEX" of bytes in memory. */
int digest_of_bytes(
	const void *data, size_t size, char ret_digest[static IMAGE_DIGEST_MAX], struct error *err);

#endif
