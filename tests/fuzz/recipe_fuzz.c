/*
 * Any bytes as what a recipe says while it runs. What is accepted makes a manifest, or is refused
 * when that is written. A part of images/recipe.c, whose functions are called when a script runs only.
 */
#include "images/recipe.c"
#include "tests/fuzz/fuzz.h"

static void on_progress(void *arg, int permille, const char *text)
{
	(void)arg;
	if (permille < 0 || permille > 1000 || strlen(text) >= LINE_MAX_SIZE)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct image_progress progress = {.report = on_progress};
	struct run run = {.progress = &progress, .pidfd = -1};
	struct error err = {0};
	int ends[2], r = 0;

	if (size > 60000 || pipe2(ends, O_CLOEXEC) < 0 ||
		write(ends[1], data, size) != (ssize_t)size ||
		manifest_draft_create(&run.draft, NULL) < 0)
		abort();
	fd_close(ends[1]);
	run.out_fd = ends[0];
	while (r == 0 && run.out_fd >= 0)
		r = on_output(&run, &err);
	if (r < 0 && (err.code != -r || err.text[0] == '\0'))
		abort();
	if (run.length > sizeof(run.line))
		abort();
	fd_close(run.out_fd);
	manifest_draft_destroy(run.draft);
	return 0;
}
