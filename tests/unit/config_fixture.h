/* A small configuration to read: one plain section, one named, and a place for a file. */
#ifndef TESTS_UNIT_CONFIG_FIXTURE_H
#define TESTS_UNIT_CONFIG_FIXTURE_H
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/config.h"
#include "base/error.h"
#include "base/text.h"

#define POOLS_MAX 130

struct pool {
	char name[CONFIG_NAME_MAX + 1];
	char image[16];
	uint32_t min;
	int on_empty;
};

struct fixture {
	struct {
		char name[16];
		bool verbose;
		uint64_t memory;
	} daemon;
	struct pool pools[POOLS_MAX];
	size_t pool_count;

	struct error err;
	char directory[32];
	char path[64];
};

static const struct config_choice on_empty_choices[] = {
	{"build", 1}, {"wait", 2}, {"fail", 3}, {NULL, 0}};

static const struct config_option options[] = {
	{"daemon", "name", CONFIG_NAME, CONFIG_FIELD(struct fixture, daemon.name), 0, 0, "hearth",
		NULL, "A name."},
	{"daemon", "verbose", CONFIG_BOOL, CONFIG_FIELD(struct fixture, daemon.verbose), 0, 0, "no",
		NULL, "More words."},
	{"daemon", "memory", CONFIG_SIZE, CONFIG_FIELD(struct fixture, daemon.memory), 4096,
		UINT64_C(1) << 40, "1G", NULL, "A limit."},
	{"pool", "image", CONFIG_NAME, CONFIG_FIELD(struct pool, image), 0, 0, "", NULL,
		"An image."},
	{"pool", "min", CONFIG_NUMBER, CONFIG_FIELD(struct pool, min), 0, 4096, "8", NULL,
		"Ready ones."},
	{"pool", "on-empty", CONFIG_CHOICE, CONFIG_FIELD(struct pool, on_empty), 0, 0, "build",
		on_empty_choices, "What to do."},
};

static inline int add_pool(void *config, const char *name, void **ret_element, struct error *err)
{
	struct fixture *f = config;
	struct pool *pool = &f->pools[f->pool_count];

	if (strcmp(name, "forbidden") == 0)
		return error_set(err, EACCES, "this pool is forbidden");
	assert_true(f->pool_count < POOLS_MAX);
	assert_int_equal(text_copy(pool->name, sizeof(pool->name), name), 0);
	f->pool_count++;
	*ret_element = pool;
	return 0;
}

static const struct config_section sections[] = {{"daemon", NULL}, {"pool", add_pool}};
static const struct config_schema schema = {sections, 2, options, 6};

static inline int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f)
		return -1;
	strcpy(f->directory, "/tmp/hearth-config-XXXXXX");
	if (!mkdtemp(f->directory)) {
		free(f);
		return -1;
	}
	snprintf(f->path, sizeof(f->path), "%s/hearth.conf", f->directory);
	*state = f;
	return 0;
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;

	unlink(f->path);
	rmdir(f->directory);
	free(f);
	return 0;
}

static inline int parse_bytes(struct fixture *f, const char *text, size_t size)
{
	return config_parse("hearth.conf", text, size, &schema, f, &f->err);
}

static inline void accepted(struct fixture *f, const char *text)
{
	int r = parse_bytes(f, text, strlen(text));

	if (r < 0)
		fail_msg("refused: %s", f->err.text);
}

static inline void refused(struct fixture *f, const char *text, const char *message)
{
	assert_int_equal(parse_bytes(f, text, strlen(text)), -EINVAL);
	assert_int_equal(f->err.code, EINVAL);
	assert_string_equal(f->err.text, message);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#endif
