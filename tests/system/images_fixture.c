#include "tests/system/images_fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "images/build.h"
#include "images/tree.h"

const char *path_of(struct world *w, const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", w->store, name);
	return path;
}

int build_with(struct world *w, const char *script, const struct image_progress *progress)
{
	char store[128];

	if (script)
		world_file(w, "recipe.sh", script, 0755);
	snprintf(store, sizeof(store), "%s", path_of(w, "store"));
	w->err.text[0] = '\0';
	return build_by_script(store, "x", path_of(w, "recipe.sh"), progress, &w->err);
}

void builds(struct world *w, const char *script)
{
	int r = build_with(w, script, NULL);

	if (r < 0)
		fail_msg("%s", w->err.text);
}

void nothing_is_left(struct world *w)
{
	struct tree_names names;
	auto_close int fd = openat(w->store_fd, "store", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(tree_names_read(fd, &names, &w->err), 0);
	for (size_t i = 0; i < names.count; i++)
		if (strcmp(names.names[i], ".x.lock") != 0 &&
			strcmp(names.names[i], ".x.log") != 0 &&
			strcmp(names.names[i], ".cache") != 0)
			fail_msg("%s is left", names.names[i]);
	tree_names_finish(&names);
}

void fails(struct world *w, const char *script, int code, const char *text)
{
	assert_int_equal(build_with(w, script, NULL), -code);
	world_says(w, text);
	nothing_is_left(w);
}
