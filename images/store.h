/*
 * store.h - directories of the store, for building, verifying and removing.
 *
 * STORE/NAME (0700: it holds set-id programs that no user of the host should reach) has
 * manifest.json, files.txt (file_list.h) and root/. Beside it stand .NAME.lock (held while NAME is
 * built or removed), .NAME.building, .NAME.log of a failed build, .NAME.old.HEX of a replaced or
 * removed image, and .cache of downloads. root/ is locked shared by whoever has the image open and
 * exclusively by its removal, so that no tree goes away under a running sandbox.
 */
#ifndef IMAGES_STORE_H
#define IMAGES_STORE_H

#define STORE_FILE_LIST "files.txt"
#define STORE_PATH_MAX	64 /* of ".NAME.SUFFIX", with terminator */

struct error;

/* Directory fd of the store, or -ENOENT and the like. */
int store_open(const char *store, struct error *err);

/* Lock fd of NAME, to be closed. -EBUSY: another process builds or removes it. */
int store_lock(int store_fd, const char *name, struct error *err);

/* Write ".NAME.SUFFIX". */
void store_format(char ret_path[static STORE_PATH_MAX], const char *name, const char *suffix);

/*
 * Claim the root/ of PATH (an image's directory) for removal: *ret_fd holds it until it is closed;
 * -1 when there is no such root. -EBUSY: somebody has the image open.
 */
int store_claim(int store_fd, const char *path, int *ret_fd, struct error *err);

/* Take PATH out of sight as .NAME.old.HEX, whose name is returned. */
int store_hide(int store_fd, const char *name, const char *path,
	char ret_path[static STORE_PATH_MAX], struct error *err);

/* Remove what earlier builds and removals of NAME left, as far as nobody uses it. */
int store_sweep(int store_fd, const char *name, struct error *err);
#endif
