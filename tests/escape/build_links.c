/*
 * E09: images in which a directory or file that every system has is a link to the host.
 *
 * Such a build works, and then the link leads to the sandbox's own files, or it fails with a reason. The
 * control follows the link by the host's path and finds the canary.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/escape/canary.h"
#include "tests/escape/escape.h"
#include "tests/system/jail_calls.h"

static const struct {
	const char *path;  /* of the image, without the first slash */
	const char *place; /* below the canary */
	const char *file;  /* below the path: what a program would use */
} links[] = {
	{"dev", ".", "/null"},
	{"dev/pts", "pts", "/x"},
	{"dev/shm", "shm", "/x"},
	{"dev/mqueue", "mqueue", "/x"},
	{"dev/null", "null", ""},
	{"proc", "proc", "/x"},
	{"sys", ".", "/x"},
	{"tmp", ".", "/x"},
	{"etc", ".", "/resolv.conf"},
	{"etc/resolv.conf", "resolv.conf", ""},
	{"etc/passwd", "passwd", ""},
	{"mnt", ".", "/x"},
	{"root", ".", "/x"},
	{"run", ".", "/x"},
	{"var", ".", "/x"},
	{"workspace", ".", "/x"},
};

static const char *const ways[] = {"", "../../../../../../.."};

static struct canary canary;
static struct fixture_result result;
static struct call call;

static void make_link(size_t i, const char *way)
{
	canary_shell("mkdir -p $(dirname %1$s/%2$s) && { test ! -e %1$s/%2$s || mv %1$s/%2$s "
		     "%3$s/kept; }",
		canary.image, links[i].path, canary.base);
	canary_shell("ln -s %s%s/%s %s/%s", way, canary.host, links[i].place, canary.image,
		links[i].path);
}

static void remove_link(size_t i)
{
	canary_shell("rm %1$s/%2$s && { test ! -e %3$s/kept || mv %3$s/kept %1$s/%2$s; }",
		canary.image, links[i].path, canary.base);
}

/* By the host's path the link leads to the canary. */
static void assert_link_leads_out(size_t i)
{
	char path[256], text[64] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s%s", canary.image, links[i].path, links[i].file);
	file = fopen(path, "r");
	assert_non_null(file);
	assert_non_null(fgets(text, sizeof(text), file));
	fclose(file);
	assert_string_equal(text, CANARY_TEXT);
}

static void ask(struct guest_client *client, uint16_t type, const char *path, const char *input)
{
	const struct guest_file_options options = {.type = type,
		.path = path,
		.pattern = type == GUEST_GREP ? "needle" : NULL,
		.include = type == GUEST_GREP ? "" : NULL};

	call_file(client, &call, &options, input, input ? strlen(input) + 1 : 0);
	call_wait(client, &call);
	if (call.output && strstr(call.output, CANARY_TEXT))
		fail_msg("request %u of %s reads the canary", type, path);
	call_finish(&call);
}

/* Everything that could reach through the link, from inside. */
static void use(struct guest_client *client, size_t i)
{
	char path[64], directory[64], command[2048];

	snprintf(path, sizeof(path), "/%s%s", links[i].path, links[i].file);
	snprintf(directory, sizeof(directory), "/%s", links[i].path);
	ask(client, GUEST_READ, path, NULL);
	ask(client, GUEST_GREP, directory, NULL);
	ask(client, GUEST_WRITE, path, "inside");
	ask(client, GUEST_EDIT, path, "of the host");
	snprintf(command, sizeof(command),
		"head -c 64 %1$s; echo inside >%1$s; mkdir -p %2$s/inside; chmod 0 %1$s; "
		"rm -rf %2$s/*; mkdir -p %3$s; ls -la %3$s %4$s; true",
		path, directory, canary.host, canary.base);
	fixture_run(client, command, 0, &result);
	assert_null(strstr(result.output, CANARY_TEXT));
}

static void attempt(struct escape *e, size_t i)
{
	static struct fixture f;
	const struct fixture_options options = {
		.limits = {.memory_bytes = 64 << 20, .disk_bytes = 32 << 20, .pids = 64},
		.root = canary.image,
	};
	struct guest_client *client;
	int r;

	fixture_start(&f, &options);
	e->second = &f;
	r = fixture_build(&f, 0, &client);
	if (r == 0) {
		use(client, i);
		guest_client_destroy(client);
		fixture_kill(&f);
	} else if ((r != -EINVAL && r != -ENOTDIR) || !strstr(f.failed.text, links[i].path)) {
		fail_msg("/%s is a link: %s", links[i].path, f.failed.text);
	}
	fixture_stop(&f);
	e->second = NULL;
	canary_assert_untouched(&canary);
}

static void linked_images(struct escape *e)
{
	canary_make(&canary, e->world.root);
	for (size_t i = 0; i < ARRAY_SIZE(links); i++)
		for (size_t w = 0; w < ARRAY_SIZE(ways); w++) {
			make_link(i, ways[w]);
			e->attempts++;
			assert_link_leads_out(i);
			e->controls++;
			attempt(e, i);
			remove_link(i);
		}
	canary_remove(&canary);
}

static const struct escape_case cases[] = {
	{"E09", "an image whose directories are links to the host does not reach it",
		linked_images},
};

const struct escape_cases escape_build_links = ESCAPE_CASES(cases);
