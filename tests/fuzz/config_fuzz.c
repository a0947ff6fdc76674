/* Any bytes as a configuration file: accepted, or refused with a reason that names the file. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/config.h"
#include "base/error.h"
#include "base/text.h"
#include "tests/fuzz/fuzz.h"

struct world {
	char name[16], text[32];
	bool flag;
	uint32_t number;
	uint64_t size;
	uint64_t duration;
	uint32_t cpus;
	int choice;
	size_t pool_count;
	struct pool {
		char name[CONFIG_NAME_MAX + 1];
		uint32_t min;
	} pools[CONFIG_SECTIONS_MAX];
};

static const struct config_choice choices[] = {{"build", 1}, {"wait", 2}, {NULL, 0}};

static const struct config_option options[] = {
	{"all", "name", CONFIG_NAME, CONFIG_FIELD(struct world, name), 0, 0, "x", NULL, ""},
	{"all", "text", CONFIG_STRING, CONFIG_FIELD(struct world, text), 0, 0, "", NULL, ""},
	{"all", "flag", CONFIG_BOOL, CONFIG_FIELD(struct world, flag), 0, 0, "no", NULL, ""},
	{"all", "number", CONFIG_NUMBER, CONFIG_FIELD(struct world, number), 1, 9, "1", NULL, ""},
	{"all", "size", CONFIG_SIZE, CONFIG_FIELD(struct world, size), 0, 0, "1M", NULL, ""},
	{"all", "duration", CONFIG_DURATION, CONFIG_FIELD(struct world, duration), 0, 0, "1s", NULL,
		""},
	{"all", "cpus", CONFIG_MILLI_CPU, CONFIG_FIELD(struct world, cpus), 0, 0, "1", NULL, ""},
	{"all", "choice", CONFIG_CHOICE, CONFIG_FIELD(struct world, choice), 0, 0, "wait", choices,
		""},
	{"pool", "min", CONFIG_NUMBER, CONFIG_FIELD(struct pool, min), 0, 64, "8", NULL, ""},
};

static int add_pool(void *config, const char *name, void **ret_element, struct error *err)
{
	struct world *world = config;
	struct pool *pool = &world->pools[world->pool_count++];

	(void)err;
	if (text_copy(pool->name, sizeof(pool->name), name) < 0)
		abort();
	*ret_element = pool;
	return 0;
}

static const struct config_section sections[] = {{"all", NULL}, {"pool", add_pool}};
static const struct config_schema schema = {
	sections, ARRAY_SIZE(sections), options, ARRAY_SIZE(options)};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world world;
	struct error err = {0};
	int r;

	memset(&world, 0, sizeof(world));
	r = config_parse("f", (const char *)data, size, &schema, &world, &err);
	if (r < 0 && (err.code != -r || strncmp(err.text, "f:", 2) != 0))
		abort();
	if (r < 0)
		return 0;
	/* What was accepted is within its table's limits. */
	if (!text_is_name(world.name, sizeof(world.name) - 1) || world.number < 1 ||
		world.number > 9 || world.choice < 1 || world.choice > 2 ||
		!text_is_terminated(world.text, sizeof(world.text)))
		abort();
	for (size_t i = 0; i < world.pool_count; i++)
		if (!text_is_name(world.pools[i].name, CONFIG_NAME_MAX) || world.pools[i].min > 64)
			abort();
	return 0;
}
