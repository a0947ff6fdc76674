#include "tests/escape/canary.h"

#include <fts.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/system/jail_calls.h"

void canary_shell(const char *format, ...)
{
	char command[2048];
	va_list ap;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

/* Made and not yet removed: a case that fails half-way leaves them to canary_remove_all(). */
static char made[4][sizeof(((struct canary *)NULL)->base)];

static void remember(const char *base)
{
	for (size_t i = 0; i < ARRAY_SIZE(made); i++)
		if (!made[i][0]) {
			strcpy(made[i], base);
			return;
		}
	fail_msg("more canaries than there is room for");
}

void canary_make(struct canary *canary, const char *image)
{
	static const char *const directories[] = {
		".", "proc", "pts", "dst", "shm", "mqueue", "null.d"};
	static const char *const files[] = {"null", "ptmx", "x", "passwd", "resolv.conf"};

	strcpy(canary->base, "/dev/shm/hearth-canary.XXXXXX");
	assert_non_null(mkdtemp(canary->base));
	remember(canary->base);
	snprintf(canary->host, sizeof(canary->host), "%s/canary", canary->base);
	snprintf(canary->image, sizeof(canary->image), "%s/image", canary->base);
	snprintf(canary->source, sizeof(canary->source), "%s/source", canary->base);
	canary_shell("cp -a %s %s && mkdir %s", image, canary->image, canary->source);
	for (size_t d = 0; d < ARRAY_SIZE(directories); d++) {
		canary_shell("mkdir -p %s/%s", canary->host, directories[d]);
		for (size_t i = 0; i < ARRAY_SIZE(files); i++)
			canary_shell("printf %%s '" CANARY_TEXT "' >%s/%s/%s", canary->host,
				directories[d], files[i]);
	}
	canary_shell("chmod 0777 %s && chmod -R a+rwX %s %s", canary->base, canary->host,
		canary->source);
	canary->digest = canary_digest(canary->host);
}

static void remove_one(char *base)
{
	canary_shell("rm -rf %s", base);
	base[0] = '\0';
}

void canary_remove(const struct canary *canary)
{
	for (size_t i = 0; i < ARRAY_SIZE(made); i++)
		if (strcmp(made[i], canary->base) == 0)
			remove_one(made[i]);
}

void canary_remove_all(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(made); i++)
		if (made[i][0])
			remove_one(made[i]);
}

static uint64_t add_content(uint64_t digest, const char *path)
{
	FILE *file = fopen(path, "r");
	char block[4096];
	size_t n;

	assert_non_null(file);
	while ((n = fread(block, 1, sizeof(block), file)) > 0)
		digest = hash_more(digest, block, n);
	fclose(file);
	return digest;
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
	return strcmp((*a)->fts_name, (*b)->fts_name);
}

uint64_t canary_digest(const char *directory)
{
	char *const paths[] = {(char *)directory, NULL};
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, by_name);
	uint64_t digest = HASH_START;
	FTSENT *e;

	assert_non_null(fts);
	while ((e = fts_read(fts))) {
		const struct stat *st = e->fts_statp;
		const uint64_t facts[] = {st->st_dev, st->st_ino, st->st_mode, st->st_uid,
			st->st_gid, st->st_nlink, (uint64_t)st->st_ctim.tv_sec,
			(uint64_t)st->st_ctim.tv_nsec};

		if (e->fts_info == FTS_DP)
			continue;
		digest = hash_more(digest, e->fts_name, e->fts_namelen);
		digest = hash_more(digest, facts, sizeof(facts));
		if (e->fts_info == FTS_F)
			digest = add_content(digest, e->fts_path);
	}
	fts_close(fts);
	return digest;
}

void canary_assert_untouched(const struct canary *canary)
{
	if (canary_digest(canary->host) != canary->digest)
		fail_msg("the canary at %s was touched", canary->host);
}
