/*
 * image.h - the store of images: read-only root file systems with manifests.
 *
 * Host side, root. A store is a directory; image NAME is STORE/NAME/{manifest.json,root/}. What is
 * being built stands as STORE/.NAME.building and is renamed when it is whole, so that an interrupted
 * build never shows. The host's own files are never part of an image, but for its extra CAs.
 */
#ifndef IMAGES_IMAGE_H
#define IMAGES_IMAGE_H
#include <stdbool.h>
#include <stdint.h>

#define IMAGE_STORE_DEFAULT "/var/lib/hearth/images"
#define IMAGE_NAME_MAX	    32 /* with terminator */
#define IMAGE_DIGEST_MAX    80 /* "sha256:" and 64 hex digits, with terminator */

struct error;

struct image_manifest {
	char name[IMAGE_NAME_MAX];
	char version[64];
	char digest
		[IMAGE_DIGEST_MAX]; /* of the tree: names, types, modes, owners, contents, links */
	char created[32];	    /* RFC 3339, UTC */
	uint64_t bytes;		    /* of regular files */
	uint64_t entries;
	unsigned package_count;
	char cwd[256]; /* default working directory inside */
	char **env;    /* default environment, "K=V", NULL-terminated */
};

struct image {
	int root_fd; /* directory fd of root/ */
	struct image_manifest manifest;
};

/*
 * Open an image. ENOENT: it is not in the store; EPROTO: its manifest is broken; EBUSY: it is being
 * removed. While root_fd or a copy of it is open the tree stays. Finish with image_close().
 */
int image_open(const char *store, const char *name, struct image *ret_image, struct error *err);
void image_close(struct image *image);

struct image_progress {
	/* fraction 0..1000 of the whole, or -1 when unknown; text names the step */
	void (*report)(void *arg, int permille, const char *text);
	void *arg;
};

/* True when there is a recipe for this name. */
bool image_has_recipe(const char *name);

/* Build by recipe and put into the store, replacing an image of this name only when the new one is whole. */
int image_build(const char *store, const char *name, const struct image_progress *progress,
	struct error *err);

/* Each image of the store in name order. A broken one is visited with its error text in broken, else NULL. */
int image_for_each(const char *store,
	void (*visit)(void *arg, const struct image_manifest *manifest, const char *broken),
	void *arg, struct error *err);

/* Compute the digest again. 0: same; -EBADMSG: differs (err names the first differing path when the manifest's list can tell). */
int image_verify(const char *store, const char *name, const struct image_progress *progress,
	struct error *err);

/* ENOENT: not in the store; EBUSY: somebody has it open, or builds it. */
int image_remove(const char *store, const char *name, struct error *err);
#endif
