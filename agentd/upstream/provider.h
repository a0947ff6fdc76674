/*
 * provider.h - who serves models: the built-in ones and those of the configuration, with key and place in the queue.
 */
#ifndef AGENTD_UPSTREAM_PROVIDER_H
#define AGENTD_UPSTREAM_PROVIDER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agentd/upstream/secret.h"
#include "agentd/upstream/upstream.h"
#include "base/list.h"

#define PROVIDER_LIST_MAX     64 /* built-in ones included */
#define PROVIDER_URL_MAX      1024
#define PROVIDER_MODEL_MAX    128 /* bytes of "provider/model" */
#define PROVIDER_CONCURRENCY  16
#define PROVIDER_KEY_NAME_MAX (UPSTREAM_NAME_MAX + sizeof("_API_KEY"))

struct dialect;

/* What differs between servers of one dialect, as bits. */
enum provider_trait {
	PROVIDER_NEEDS_KEY = 1, /* at its built-in address */
	PROVIDER_TAKES_STREAM_OPTIONS =
		2, /* else unknown members are refused, and usage comes unasked */
	PROVIDER_TAKES_COMPLETION_MAX =
		4,		   /* max_completion_tokens: some of its models refuse max_tokens */
	PROVIDER_TAKES_EFFORT = 8, /* reasoning_effort low, medium, high */
	PROVIDER_TAKES_EVERY_EFFORT = 16,  /* also minimal and xhigh */
	PROVIDER_TAKES_EXTRA_CONTENT = 32, /* wants back what it sent with a tool call */
};

struct provider {
	char name[UPSTREAM_NAME_MAX + 1];
	const struct dialect *dialect;
	char *base_url; /* without a slash at its end */
	char *socket_path;
	struct secret *key;
	char key_name[PROVIDER_KEY_NAME_MAX]; /* "OPENAI_API_KEY" */
	unsigned traits;		      /* enum provider_trait */
	uint32_t concurrency, running;
	struct list queue; /* of those who wait for a turn */
	bool is_scripted;
};

struct provider_list {
	size_t count;
	struct provider at[PROVIDER_LIST_MAX];
};

/*
 * Read the keys: an option's, else a file's, else the environment's. 0 or -errno; provider_list_finish() is due in
 * either case.
 */
int provider_list_init(
	struct provider_list *list, const struct upstream_options *options, struct error *err);
void provider_list_finish(struct provider_list *list);

/*
 * Of "provider/model", which is printable ASCII; *ret_model is the part behind the slash. -ENOENT: there is none;
 * -EACCES: its key is missing.
 */
int provider_find(struct provider_list *list, const char *model, struct provider **ret_provider,
	const char **ret_model, struct error *err);
#endif
