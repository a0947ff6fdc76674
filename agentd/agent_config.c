#include "agentd/agent_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/config.h"
#include "base/error.h"
#include "base/text.h"

#define SYSTEM_PATH HEARTH_SYSCONFDIR "/" AGENT_CONFIG_NAME
#define PATH_SIZE   4096

static const struct config_choice dialects[] = {
	{"default", UPSTREAM_DIALECT_DEFAULT},
	{"openai", UPSTREAM_OPENAI},
	{"anthropic", UPSTREAM_ANTHROPIC},
	{NULL, 0},
};

static int add_provider(void *arg, const char *name, void **ret_element, struct error *err)
{
	struct agent_config *config = arg;
	struct provider_section *provider;

	if (config->provider_count == AGENT_PROVIDERS_MAX)
		return error_set(err, EINVAL, "more than %d providers", AGENT_PROVIDERS_MAX);
	if (!text_is_name(name, UPSTREAM_NAME_MAX))
		return error_set(err, EINVAL,
			"provider name '%s': want 1 to %d of a-z, 0-9, '.', '_', '-', a letter or "
			"digit first",
			name, UPSTREAM_NAME_MAX);
	provider = &config->providers[config->provider_count++];
	memcpy(provider->name, name, strlen(name) + 1);
	*ret_element = provider;
	return 0;
}

static const struct config_section sections[] = {
	{"api", NULL},
	{"models", NULL},
	{"search", NULL},
	{"provider", add_provider},
};

#define OF_CONFIG(section, key, type, member, ...)                                                 \
	{                                                                                          \
		section, key, type, CONFIG_FIELD(struct agent_config, member), __VA_ARGS__         \
	}
#define PROVIDER(key, type, member, ...)                                                           \
	{                                                                                          \
		"provider", key, type, CONFIG_FIELD(struct provider_section, member), __VA_ARGS__  \
	}

static const struct config_option options[] = {
	OF_CONFIG("api", "hosts", CONFIG_LIST, api.hosts_text, 0, 0, "", NULL,
		"More names by which clients may call this host."),
	OF_CONFIG("api", "origins", CONFIG_LIST, api.origins_text, 0, 0, "", NULL,
		"Pages that may call from a browser; none: those of localhost."),
	OF_CONFIG("models", "tries", CONFIG_NUMBER, tries, 1, 20, "4", NULL,
		"How often one model is asked before the next one is."),
	OF_CONFIG("models", "stall", CONFIG_DURATION, stall_ms, 1000, 3600000, "120s", NULL,
		"How long a model may send nothing before it is asked again."),
	OF_CONFIG("search", "provider", CONFIG_STRING, search.provider, 0, 15, "", NULL,
		"Who answers search_web: searxng, exa or brave; empty: nobody."),
	OF_CONFIG("search", "url", CONFIG_STRING, search.url, 0, 0, "", NULL,
		"Where it does; empty: the provider's own address."),
	PROVIDER("base_url", CONFIG_STRING, base_url, 0, 0, "", NULL,
		"Where its API is; empty: the built-in address."),
	PROVIDER("dialect", CONFIG_CHOICE, dialect, 0, 0, "default", dialects,
		"openai or anthropic; default: the built-in one, else openai."),
	PROVIDER("concurrency", CONFIG_NUMBER, concurrency, 0, 1024, "0", NULL,
		"Requests to it at a time, the others wait; 0: 16."),
};

static const struct config_schema schema = {
	.sections = sections,
	.section_count = ARRAY_SIZE(sections),
	.options = options,
	.option_count = ARRAY_SIZE(options),
};

static int cut_words(char *text, const char *what, const char *words[static AGENT_CONFIG_NAMES_MAX],
	struct error *err)
{
	char *save = NULL;
	size_t count = 0;

	for (char *word = strtok_r(text, ", ", &save); word; word = strtok_r(NULL, ", ", &save)) {
		if (count == AGENT_CONFIG_NAMES_MAX)
			return error_set(err, EINVAL, "[api] %s: more than %d", what,
				AGENT_CONFIG_NAMES_MAX);
		words[count++] = word;
	}
	return 0;
}

int agent_config_load(const char *directory, struct agent_config *config, struct error *err)
{
	char path[PATH_SIZE];
	int r = snprintf(path, sizeof(path), "%s/" AGENT_CONFIG_NAME, directory);

	if (r < 0 || (size_t)r >= sizeof(path))
		return error_set(err, ENAMETOOLONG, "%.100s: too long", directory);
	memset(config, 0, sizeof(*config));
	r = config_load(path, &schema, config, err);
	if (r == -ENOENT)
		r = config_load(SYSTEM_PATH, &schema, config, err);
	if (r == -ENOENT)
		r = config_parse("defaults", "", 0, &schema, config, err);
	if (r == 0)
		r = cut_words(config->api.hosts_text, "hosts", config->api.hosts, err);
	if (r == 0)
		r = cut_words(config->api.origins_text, "origins", config->api.origins, err);
	return r;
}
