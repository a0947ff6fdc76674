#include "agentd/upstream/provider.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/upstream/dialect.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/text.h"

struct built_in {
	const char *name;
	enum upstream_dialect dialect;
	const char *base_url;
	unsigned traits;
};

#define USUAL (PROVIDER_NEEDS_KEY | PROVIDER_TAKES_STREAM_OPTIONS)

static const struct built_in built_in[] = {
	{"anthropic", UPSTREAM_ANTHROPIC, "https://api.anthropic.com/v1", PROVIDER_NEEDS_KEY},
	{"google", UPSTREAM_OPENAI, "https://generativelanguage.googleapis.com/v1beta/openai",
		USUAL | PROVIDER_TAKES_EFFORT | PROVIDER_TAKES_EXTRA_CONTENT},
	{"groq", UPSTREAM_OPENAI, "https://api.groq.com/openai/v1", USUAL | PROVIDER_TAKES_EFFORT},
	{"mistral", UPSTREAM_OPENAI, "https://api.mistral.ai/v1", PROVIDER_NEEDS_KEY},
	{"ollama", UPSTREAM_OPENAI, "http://127.0.0.1:11434/v1", PROVIDER_TAKES_STREAM_OPTIONS},
	{"openai", UPSTREAM_OPENAI, "https://api.openai.com/v1",
		USUAL | PROVIDER_TAKES_COMPLETION_MAX | PROVIDER_TAKES_EFFORT |
			PROVIDER_TAKES_EVERY_EFFORT},
	{"openrouter", UPSTREAM_OPENAI, "https://openrouter.ai/api/v1",
		USUAL | PROVIDER_TAKES_EFFORT | PROVIDER_TAKES_EVERY_EFFORT |
			PROVIDER_TAKES_EXTRA_CONTENT},
	{"xai", UPSTREAM_OPENAI, "https://api.x.ai/v1", USUAL | PROVIDER_TAKES_EFFORT},
};

static const struct dialect *dialect_of(enum upstream_dialect dialect)
{
	return dialect == UPSTREAM_ANTHROPIC ? &dialect_anthropic : &dialect_openai;
}

/* "my-models" looks for MY_MODELS_API_KEY. */
static void name_key(struct provider *provider)
{
	size_t i;

	for (i = 0; provider->name[i]; i++) {
		char c = provider->name[i];

		provider->key_name[i] =
			isalnum((unsigned char)c) ? (char)toupper((unsigned char)c) : '_';
	}
	text_copy(provider->key_name + i, sizeof(provider->key_name) - i, "_API_KEY");
}

/* A key in the URL would stand in every text that names it. */
static int check_url(const char *url, struct error *err)
{
	size_t scheme = strncmp(url, "http://", 7) == 0	   ? 7
			: strncmp(url, "https://", 8) == 0 ? 8
							   : 0;

	if (scheme == 0 || !url[scheme] || url[scheme] == '/')
		return error_set(err, EINVAL,
			"base_url %.80s: must begin with https:// or http:// and name a host", url);
	if (strlen(url) > PROVIDER_URL_MAX)
		return error_set(err, EINVAL, "base_url: has more than %d bytes", PROVIDER_URL_MAX);
	for (const char *c = url; *c; c++)
		if (*c <= ' ' || *c > '~' || *c == '?' || *c == '#')
			return error_set(err, EINVAL,
				"base_url: must be without blanks, query and fragment");
	if (memchr(url + scheme, '@', strcspn(url + scheme, "/")))
		return error_set(err, EINVAL, "base_url: a password does not belong in it");
	return 0;
}

static int set_url(struct provider *provider, const char *url, struct error *err)
{
	size_t length = strlen(url);
	int r = check_url(url, err);

	if (r < 0)
		return r;
	while (url[length - 1] == '/')
		length--;
	free(provider->base_url);
	provider->base_url = strndup(url, length);
	return provider->base_url ? 0 : error_set(err, ENOMEM, "out of memory");
}

static struct provider *find(struct provider_list *list, const char *name, size_t length)
{
	for (size_t i = 0; i < list->count; i++)
		if (strncmp(list->at[i].name, name, length) == 0 &&
			list->at[i].name[length] == '\0')
			return &list->at[i];
	return NULL;
}

static int add(struct provider_list *list, const char *name, struct provider **ret_provider,
	struct error *err)
{
	struct provider *provider = &list->at[list->count];

	if (!text_is_name(name, UPSTREAM_NAME_MAX))
		return error_set(err, EINVAL,
			"%.40s: a provider's name has 1 to %d of a-z, 0-9, '.', '_' and '-'", name,
			UPSTREAM_NAME_MAX);
	if (list->count == PROVIDER_LIST_MAX)
		return error_set(err, E2BIG, "more than %d providers", PROVIDER_LIST_MAX);
	*provider = (struct provider){.concurrency = PROVIDER_CONCURRENCY,
		.dialect = &dialect_openai,
		.traits = PROVIDER_TAKES_STREAM_OPTIONS};
	text_copy(provider->name, sizeof(provider->name), name);
	name_key(provider);
	list_init(&provider->queue);
	list->count++;
	*ret_provider = provider;
	return 0;
}

static int set_key(struct provider *provider, const char *text, struct error *err)
{
	secret_destroy(take_ptr(&provider->key));
	return secret_create(text, strlen(text), &provider->key, err);
}

static int set_socket(struct provider *provider, const char *path, struct error *err)
{
	free(provider->socket_path);
	provider->socket_path = strdup(path);
	return provider->socket_path ? 0 : error_set(err, ENOMEM, "out of memory");
}

/* What the configuration says of a provider goes over what is built in. */
static int merge(
	struct provider_list *list, const struct upstream_provider *from, struct error *err)
{
	struct provider *provider = find(list, from->name, strlen(from->name));
	bool has_url = from->base_url && *from->base_url;
	bool has_socket = from->socket_path && *from->socket_path;
	int r = 0;

	if (!provider)
		r = add(list, from->name, &provider, err);
	if (r == 0 && has_url)
		r = set_url(provider, from->base_url, err);
	if (r == 0 && !provider->base_url)
		r = error_set(
			err, EINVAL, "base_url: is not set, and no provider of this name is known");
	if (r == 0 && has_socket)
		r = set_socket(provider, from->socket_path, err);
	if (r == 0 && from->key && *from->key)
		r = set_key(provider, from->key, err);
	if (r < 0)
		return r;
	if (has_url || has_socket) /* whoever serves there may want none */
		provider->traits &= ~(unsigned)PROVIDER_NEEDS_KEY;
	if (from->dialect != UPSTREAM_DIALECT_DEFAULT)
		provider->dialect = dialect_of(from->dialect);
	if (from->concurrency > 0)
		provider->concurrency = from->concurrency;
	provider->is_scripted = from->is_scripted;
	return 0;
}

/* 0 also when there is none. */
static int read_key(struct provider *provider, const char *directory, struct error *err)
{
	int r;

	if (provider->key || !directory || !*directory)
		return 0;
	r = secret_read(directory, provider->key_name, &provider->key, err);
	return r == -ENOENT || r == -ENOTDIR ? 0 : r;
}

static int look_for_key(
	struct provider *provider, const struct upstream_options *options, struct error *err)
{
	const char *text = getenv(provider->key_name);
	int r = 0;

	for (size_t i = 0; r == 0 && options->key_directories && options->key_directories[i]; i++)
		r = read_key(provider, options->key_directories[i], err);
	if (r == 0)
		r = read_key(provider, getenv("CREDENTIALS_DIRECTORY"), err);
	if (r == 0 && !provider->key && text && *text) {
		r = secret_create(text, strlen(text), &provider->key, err);
		if (r < 0)
			error_prefix(err, r, "%s of the environment", provider->key_name);
	}
	return r;
}

int provider_list_init(
	struct provider_list *list, const struct upstream_options *options, struct error *err)
{
	struct provider *provider;
	int r = 0;

	list->count = 0;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(built_in); i++) {
		r = add(list, built_in[i].name, &provider, err);
		if (r < 0)
			return r;
		provider->dialect = dialect_of(built_in[i].dialect);
		provider->traits = built_in[i].traits;
		r = set_url(provider, built_in[i].base_url, err);
	}
	for (size_t i = 0; r == 0 && i < options->provider_count; i++) {
		r = merge(list, &options->providers[i], err);
		if (r < 0)
			error_prefix(err, r, "provider %.40s", options->providers[i].name);
	}
	for (size_t i = 0; r == 0 && i < list->count; i++)
		r = look_for_key(&list->at[i], options, err);
	return r;
}

void provider_list_finish(struct provider_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		free(list->at[i].base_url);
		free(list->at[i].socket_path);
		secret_destroy(list->at[i].key);
	}
	list->count = 0;
}

/* So that it can stand in every text. */
static int check_model(const char *model, struct error *err)
{
	if (strlen(model) > PROVIDER_MODEL_MAX)
		return error_set(
			err, ENOENT, "model: its name has more than %d bytes", PROVIDER_MODEL_MAX);
	for (const char *c = model; *c; c++)
		if (*c < ' ' || *c > '~')
			return error_set(
				err, ENOENT, "model: its name has other than printable ASCII");
	return 0;
}

static bool can_be_asked(const struct provider *provider)
{
	return provider && (provider->key || !(provider->traits & PROVIDER_NEEDS_KEY));
}

/* It stands in for every model that could not be asked without it. */
static struct provider *find_scripted(struct provider_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->at[i].is_scripted)
			return &list->at[i];
	return NULL;
}

int provider_find(struct provider_list *list, const char *model, struct provider **ret_provider,
	const char **ret_model, struct error *err)
{
	const char *slash = strchr(model, '/');
	struct provider *provider;
	int r = check_model(model, err);

	if (r < 0)
		return r;
	if (!slash || !slash[1])
		return error_set(err, ENOENT,
			"model \"%s\": names no provider: write it as provider/model", model);
	provider = find(list, model, (size_t)(slash - model));
	if (!can_be_asked(provider) && find_scripted(list))
		provider = find_scripted(list);
	if (!provider)
		return error_set(err, ENOENT,
			"model \"%s\": there is no such provider: configure its base_url", model);
	if (!can_be_asked(provider))
		return error_set(err, EACCES,
			"model \"%s\": there is no key: put it into a file %s or set %s", model,
			provider->key_name, provider->key_name);
	*ret_provider = provider;
	*ret_model = slash + 1;
	return 0;
}
