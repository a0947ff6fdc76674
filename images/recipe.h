/*
 * recipe.h - run the script that fills an image's root, and listen to it.
 *
 * Host side, root. recipes/tiny.sh says how the two talk. The script runs as PID 1 of a pid
 * namespace and in a mount namespace of its own and dies with its caller: whatever ends it, no
 * process and no mount of it is left.
 */
#ifndef IMAGES_RECIPE_H
#define IMAGES_RECIPE_H
#include <stddef.h>

#include "images/image.h"

struct error;
struct manifest_draft;

struct recipe {
	const char *script;
	const char *root, *work, *cache; /* absolute; the script's arguments */
	int log_fd;			 /* read and write; its standard error */
	int lock_fd;	  /* stays open in the script, so that the lock outlives a killed caller */
	int interrupt_fd; /* readable: end it */
};

/* Path of NAME's recipe: in this program's own tree, else where Hearth was installed. -ENOENT: none. */
int recipe_find(const char *name, char *ret_path, size_t size, struct error *err);

/*
 * Run it to its end. What it says goes to draft and progress. -EINTR: interrupted; -EIO: it failed,
 * and err has the last line of its log.
 */
int recipe_run(const struct recipe *recipe, const struct image_progress *progress,
	struct manifest_draft *draft, struct error *err);
#endif
