/*
 * agent_config.h - agentd.conf: providers of models, the search service, who may call the API.
 *
 * DIR/agentd.conf of the instance, else agentd.conf in the system's configuration; with neither, the defaults.
 */
#ifndef AGENTD_AGENT_CONFIG_H
#define AGENTD_AGENT_CONFIG_H
#include <stdint.h>

#include "agentd/upstream/upstream.h"

#define AGENT_CONFIG_NAME	"agentd.conf"
#define AGENT_PROVIDERS_MAX	32
#define AGENT_CONFIG_URL_SIZE	1025
#define AGENT_CONFIG_WORDS_SIZE 1024
#define AGENT_CONFIG_NAMES_MAX	16 /* hosts, origins */

struct error;

struct provider_section {
	char name[UPSTREAM_NAME_MAX + 1];
	char base_url[AGENT_CONFIG_URL_SIZE]; /* "": the built-in one */
	int dialect;			      /* enum upstream_dialect */
	uint32_t concurrency;		      /* 0: the default */
};

struct agent_config {
	struct provider_section providers[AGENT_PROVIDERS_MAX];
	uint32_t provider_count;
	struct {
		char provider[16], url[AGENT_CONFIG_URL_SIZE]; /* "": nobody, the provider's own */
	} search;
	struct {
		char hosts_text[AGENT_CONFIG_WORDS_SIZE], origins_text[AGENT_CONFIG_WORDS_SIZE];
		/* NULL-terminated, cut out of the texts; no origins: those of this host */
		const char *hosts[AGENT_CONFIG_NAMES_MAX + 1];
		const char *origins[AGENT_CONFIG_NAMES_MAX + 1];
	} api;
	uint32_t tries; /* 1 to 20 */
	uint64_t stall_ms;
};

/* directory: of the instance. 0 or -errno, with file and line. The config is not to be moved afterwards. */
int agent_config_load(const char *directory, struct agent_config *config, struct error *err);
#endif
