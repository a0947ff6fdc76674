#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/text.h"
#include "images/recipe.h"

/* The directory above the one that holds this program's bin/, sbin/ or libexec/hearth/, levels up. */
static int program_prefix(unsigned levels, char *path, size_t size)
{
	ssize_t n = readlink("/proc/self/exe", path, size - 1);

	if (n < 0)
		return -errno;
	path[n] = '\0';
	for (unsigned i = 0; i <= levels; i++) {
		char *slash = strrchr(path, '/');

		if (!slash)
			return -ENOENT;
		*slash = '\0';
	}
	return 0;
}

int recipe_find(const char *name, char *ret_path, size_t size, struct error *err)
{
	char prefix[PATH_MAX];

	if (!text_is_name(name, IMAGE_NAME_MAX - 1))
		return error_set(err, EINVAL, "not a name of an image");
	for (unsigned levels = 1; levels <= 2; levels++) {
		if (program_prefix(levels, prefix, sizeof(prefix)) < 0)
			break;
		if (snprintf(ret_path, size, "%s/share/hearth/recipes/%s.sh", prefix, name) <
				(int)size &&
			access(ret_path, X_OK) == 0)
			return 0;
	}
	if (snprintf(ret_path, size, HEARTH_DATADIR "/recipes/%s.sh", name) < (int)size &&
		access(ret_path, X_OK) == 0)
		return 0;
	return error_set(err, ENOENT, "there is no recipe of this name");
}

bool image_has_recipe(const char *name)
{
	char path[PATH_MAX];

	return recipe_find(name, path, sizeof(path), NULL) == 0;
}
