/*
 * manifest.h - manifest.json of an image: checked when read, collected while a recipe runs.
 *
 * {"format": 1, "name", "version", "created": "2026-01-31T12:00:00Z", "digest": "sha256:HEX" (of the
 * tree), "bytes", "entries", "packages": ["NAME VERSION"], "env": ["K=V"], "cwd": "/DIR",
 * "extra_cas": [{"name", "sha256": HEX}], "recipe": "sha256:HEX" (of the script)}. Each must be
 * there; a key of another name, or one twice, is refused.
 */
#ifndef IMAGES_MANIFEST_H
#define IMAGES_MANIFEST_H
#include <stddef.h>

#include "images/image.h"

#define MANIFEST_FILE	      "manifest.json"
#define MANIFEST_SIZE_MAX     ((size_t)2 << 20)
#define MANIFEST_PACKAGES_MAX 16384u
#define MANIFEST_CAS_MAX      1024u
#define MANIFEST_ENV_MAX      128u
#define MANIFEST_ENV_SIZE_MAX 8192u /* of all its strings; it goes to the guest in one message */

struct error;
struct manifest_draft;

/* -EPROTO: not a manifest of the image NAME; err tells the field. Finish with manifest_finish(). */
int manifest_parse(const char *text, size_t size, const char *name,
	struct image_manifest *ret_manifest, struct error *err);
/* From the image's directory. */
int manifest_read(
	int dirfd, const char *name, struct image_manifest *ret_manifest, struct error *err);
void manifest_finish(struct image_manifest *manifest);

int manifest_draft_create(struct manifest_draft **ret_draft, struct error *err);
/* Accepts NULL. */
void manifest_draft_destroy(struct manifest_draft *draft);

/*
 * One line of a recipe, without its newline: "version TEXT", "cwd DIR", "env K=V",
 * "package NAME VERSION", "ca NAME SHA256". -EPROTO when it is none of these.
 */
int manifest_draft_add(struct manifest_draft *draft, const char *line, struct error *err);

/* Write it to the image's directory. Of measured: name, digest, created, bytes, entries. */
int manifest_draft_write(struct manifest_draft *draft, int dirfd,
	const struct image_manifest *measured, const char *recipe_digest, struct error *err);
#endif
