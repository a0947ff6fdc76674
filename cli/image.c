/* image.c - hearth image build, ls, verify, rm. */
#include "images/image.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/table.h"

static const struct cli_column columns[] = {
	{"NAME", false},
	{"VERSION", false},
	{"CREATED", false},
	{"BYTES", true},
	{"ENTRIES", true},
	{"PACKAGES", true},
	{"DIGEST", false},
	{"BROKEN", false},
};

static const char *store_of(const struct cli *cli)
{
	const char *store = cli_option(cli, "store");

	return store ? store : IMAGE_STORE_DEFAULT;
}

/* What the recipe said, or of an image that stands what to do about it. */
static void advise(
	const struct cli *cli, const char *name, const struct error *err, char *advice, size_t size)
{
	static const char see[] = "see ";
	const char *verb = cli->command->name;

	if (strcmp(verb, "image build") == 0) {
		snprintf(advice, size, "%s%s/.%s.log", see, store_of(cli), name);
		if (access(advice + strlen(see), F_OK) < 0)
			advice[0] = '\0';
	} else if (err->code == EPROTO) {
		snprintf(advice, size, "hearth image build %s makes it anew", name);
	}
}

static int fail(const struct cli *cli, const char *name, const struct error *err)
{
	char advice[PATH_MAX + 64] = "";

	switch (err->code) {
	case EINVAL:
		return cli_usage_error(cli, "%s", err->text);
	case EIO:
	case ENOSPC:
	case EPROTO:
		advise(cli, name, err, advice, sizeof(advice));
		break;
	case ENOENT:
		snprintf(advice, sizeof(advice), "hearth image ls lists the store");
		break;
	case EBUSY:
		snprintf(advice, sizeof(advice), "end what uses it first (hearth down)");
		break;
	case EACCES:
	case EPERM:
		snprintf(advice, sizeof(advice), "run it as root");
		break;
	}
	return cli_fail(cli, err, advice[0] ? advice : NULL);
}

/* One image's result: a sentence, the name alone with --quiet, or an object with --json. */
static int print_result(const struct cli *cli, const struct image_manifest *m, const char *what,
	uint64_t started_ms)
{
	double seconds = (double)(clock_now_ms() - started_ms) / 1000;
	json_auto_t *json = NULL;

	if (cli->json) {
		json = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:f}", "image", m->name, "result",
			what, "version", m->version, "digest", m->digest, "bytes",
			(json_int_t)m->bytes, "entries", (json_int_t)m->entries, "seconds",
			seconds);
		if (!json || json_dumpf(json, stdout, JSON_REAL_PRECISION(4)) < 0)
			return CLI_FAILED;
		putchar('\n');
	} else if (cli->quiet) {
		printf("%s\n", m->name);
	} else {
		printf("image %s %s: %s in %.1f s (%.0f MiB, %llu entries, %s)\n", m->name,
			m->version, what, seconds, (double)m->bytes / (1 << 20),
			(unsigned long long)m->entries, m->digest);
	}
	return CLI_OK;
}

/* build and verify take a while, show how far they are, and end with the image's facts. */
static int work(struct cli *cli, const char *name, const char *what,
	int (*act)(const char *store, const char *name, const struct image_progress *progress,
		struct error *err))
{
	struct cli_progress bar;
	struct image_progress progress = {cli_progress_report, &bar};
	uint64_t started_ms = clock_now_ms();
	struct image image;
	struct error err;
	int r;

	cli_progress_start(&bar, !cli->json && !cli->quiet);
	r = act(store_of(cli), name, &progress, &err);
	cli_progress_finish(&bar);
	if (r == 0)
		r = image_open(store_of(cli), name, &image, &err);
	if (r < 0)
		return fail(cli, name, &err);
	r = print_result(cli, &image.manifest, what, started_ms);
	image_close(&image);
	return r;
}

static int image_rm(struct cli *cli, const char *name)
{
	struct error err;

	if (image_remove(store_of(cli), name, &err) < 0)
		return fail(cli, name, &err);
	if (cli->json)
		printf("{\"image\": \"%s\", \"result\": \"removed\"}\n", name);
	else if (!cli->quiet)
		printf("image %s: removed\n", name);
	return CLI_OK;
}

static void add_row(void *arg, const struct image_manifest *m, const char *broken)
{
	struct cli_table *table = arg;

	cli_table_add(table, "%s", m->name);
	cli_table_add(table, "%s", m->version);
	cli_table_add(table, "%s", m->created);
	cli_table_add(table, "%llu", (unsigned long long)m->bytes);
	cli_table_add(table, "%llu", (unsigned long long)m->entries);
	cli_table_add(table, "%u", m->package_count);
	cli_table_add(table, "%s", m->digest);
	cli_table_add(table, "%s", broken ? broken : "");
}

static int image_ls(struct cli *cli)
{
	struct cli_table *table = NULL;
	struct error err;
	int r = cli_table_create(cli, "images", columns, ARRAY_SIZE(columns), &table, &err);

	if (r == 0)
		r = image_for_each(store_of(cli), add_row, table, &err);
	if (r == 0)
		r = cli_table_print(table, &err);
	cli_table_destroy(table);
	return r < 0 ? cli_fail(cli, &err, NULL) : CLI_OK;
}

int cli_image(struct cli *cli, int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;

	if (strcmp(argv[0], "build") == 0)
		return work(cli, name, "built", image_build);
	if (strcmp(argv[0], "verify") == 0)
		return work(cli, name, "verified", image_verify);
	if (strcmp(argv[0], "rm") == 0)
		return image_rm(cli, name);
	return image_ls(cli);
}
