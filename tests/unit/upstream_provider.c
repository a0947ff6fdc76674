/* provider.h: who is known, and where keys come from. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agentd/upstream/dialect.h"
#include "agentd/upstream/provider.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"

static struct provider_list list;
static struct error err;

static int init(const struct upstream_provider *providers, size_t count)
{
	const struct upstream_options options = {.providers = providers, .provider_count = count};

	provider_list_finish(&list);
	return provider_list_init(&list, &options, &err);
}

static int finish(void **state)
{
	(void)state;
	provider_list_finish(&list);
	return 0;
}

static struct provider *find(const char *model)
{
	struct provider *provider;
	const char *name;

	if (provider_find(&list, model, &provider, &name, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(name, strchr(model, '/') + 1);
	return provider;
}

static int find_error(const char *model)
{
	struct provider *provider;
	const char *name;

	return provider_find(&list, model, &provider, &name, &err);
}

static void has_key(const char *model, const char *key)
{
	char buffer[64];

	assert_non_null(find(model)->key);
	assert_int_equal(secret_format(find(model)->key, "", buffer, sizeof(buffer)), 0);
	assert_string_equal(buffer, key);
}

static void known_providers_want_their_keys(void **state)
{
	static const char *const names[] = {
		"anthropic", "google", "groq", "mistral", "openai", "openrouter", "xai"};
	char model[64];

	(void)state;
	assert_int_equal(init(NULL, 0), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(model, sizeof(model), "%s/some/model", names[i]);
		assert_int_equal(find_error(model), -EACCES);
		assert_non_null(strstr(err.text, "_API_KEY"));
	}
	find("ollama/qwen3:8b"); /* needs none */
}

static void a_model_names_its_provider(void **state)
{
	char model[PROVIDER_MODEL_MAX + 2];

	(void)state;
	assert_int_equal(init(NULL, 0), 0);
	assert_int_equal(find_error("gpt-5"), -ENOENT);
	assert_non_null(strstr(err.text, "provider/model"));
	assert_int_equal(find_error("ollama/"), -ENOENT);
	assert_int_equal(find_error("/x"), -ENOENT);
	assert_int_equal(find_error("ollam/x"), -ENOENT);
	assert_int_equal(find_error("ollama2/x"), -ENOENT);
	assert_non_null(strstr(err.text, "\"ollama2/x\""));
	assert_int_equal(find_error("ollama/\xc3\xa9"), -ENOENT);
	assert_int_equal(find_error("ollama/x\n"), -ENOENT);
	memset(model, 'x', sizeof(model));
	memcpy(model, "ollama/", 7);
	model[PROVIDER_MODEL_MAX + 1] = '\0';
	assert_int_equal(find_error(model), -ENOENT);
	model[PROVIDER_MODEL_MAX] = '\0';
	find(model);
}

static void what_is_configured_goes_over_what_is_built_in(void **state)
{
	const struct upstream_provider providers[] = {
		{.name = "anthropic", .base_url = "http://proxy:8080/v1//"},
		{.name = "my.own-1", .base_url = "https://x/v1", .concurrency = 3, .key = "k"},
		{.name = "mine", .base_url = "https://x", .dialect = UPSTREAM_ANTHROPIC},
		{.name = "openai", .key = "given"},
		{.name = "xai", .socket_path = "/run/x"},
	};

	(void)state;
	assert_int_equal(init(providers, ARRAY_SIZE(providers)), 0);
	assert_string_equal(find("anthropic/m")->base_url, "http://proxy:8080/v1");
	assert_ptr_equal(find("anthropic/m")->dialect, &dialect_anthropic);
	assert_ptr_equal(find("my.own-1/m")->dialect, &dialect_openai);
	assert_string_equal(find("my.own-1/m")->key_name, "MY_OWN_1_API_KEY");
	assert_int_equal(find("my.own-1/m")->concurrency, 3);
	assert_int_equal(find("mine/m")->concurrency, PROVIDER_CONCURRENCY);
	assert_ptr_equal(find("mine/m")->dialect, &dialect_anthropic);
	assert_string_equal(find("openai/m")->base_url, "https://api.openai.com/v1");
	has_key("openai/m", "given");
	assert_string_equal(find("xai/m")->socket_path, "/run/x");
}

static void bad_names_and_addresses_are_refused(void **state)
{
	char long_url[PROVIDER_URL_MAX + 2];
	const struct upstream_provider too_long = {.name = "mine", .base_url = long_url};
	static const struct upstream_provider bad[] = {
		{.name = "", .base_url = "https://x"},
		{.name = "A", .base_url = "https://x"},
		{.name = "a/b", .base_url = "https://x"},
		{.name = "a23456789012345678901234567890123", .base_url = "https://x"},
		{.name = "mine"},
		{.name = "mine", .base_url = "ftp://x"},
		{.name = "mine", .base_url = "https://"},
		{.name = "mine", .base_url = "https:///v1"},
		{.name = "mine", .base_url = "https://user:password@x/v1"},
		{.name = "mine", .base_url = "https://x/v1?key=1"},
		{.name = "mine", .base_url = "https://x/ v1"},
		{.name = "mine", .base_url = "https://x/\r\nX: y"},
		{.name = "mine", .base_url = "https://x", .key = "a b"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(init(&bad[i], 1), -EINVAL);
		assert_int_equal(strncmp(err.text, "provider ", 9), 0);
		assert_null(strstr(err.text, "password@"));
	}
	memset(long_url, 'x', sizeof(long_url));
	memcpy(long_url, "https://", 8);
	long_url[PROVIDER_URL_MAX + 1] = '\0';
	assert_int_equal(init(&too_long, 1), -EINVAL);
	long_url[PROVIDER_URL_MAX] = '\0';
	assert_int_equal(init(&too_long, 1), 0);
}

static void more_providers_than_there_is_room_for_are_refused(void **state)
{
	struct upstream_provider providers[PROVIDER_LIST_MAX] = {0};
	char names[PROVIDER_LIST_MAX][8];

	(void)state;
	for (size_t i = 0; i < PROVIDER_LIST_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "p%zu", i);
		providers[i].name = names[i];
		providers[i].base_url = "https://x";
	}
	assert_int_equal(init(providers, PROVIDER_LIST_MAX), -E2BIG);
	assert_int_equal(init(providers, PROVIDER_LIST_MAX - 8), 0);
}

static void write_key(const char *directory, const char *name, const char *key)
{
	char path[128];
	auto_close int fd = -1;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(fd_write_full(fd, key, strlen(key)), 0);
}

static void a_key_is_the_options_the_files_or_the_environments_in_this_order(void **state)
{
	const struct upstream_provider openai = {.name = "openai", .key = "by-option"};
	char directory[] = "/tmp/hearth-keys-XXXXXX", path[128];
	const char *const directories[] = {"/nowhere", directory, NULL};
	struct upstream_options options = {
		.providers = &openai, .provider_count = 1, .key_directories = directories};

	(void)state;
	assert_non_null(mkdtemp(directory));
	write_key(directory, "OPENAI_API_KEY", "by-file");
	write_key(directory, "XAI_API_KEY", "by-file");
	setenv("OPENAI_API_KEY", "by-environment", 1);
	setenv("XAI_API_KEY", "by-environment", 1);
	setenv("GROQ_API_KEY", "by-environment", 1);
	provider_list_finish(&list);
	assert_int_equal(provider_list_init(&list, &options, &err), 0);
	has_key("openai/m", "by-option");
	has_key("xai/m", "by-file");
	has_key("groq/m", "by-environment");
	assert_int_equal(find_error("mistral/m"), -EACCES);
	options.key_directories = NULL;
	setenv("CREDENTIALS_DIRECTORY", directory, 1);
	provider_list_finish(&list);
	assert_int_equal(provider_list_init(&list, &options, &err), 0);
	has_key("xai/m", "by-file");
	unsetenv("CREDENTIALS_DIRECTORY");
	setenv("XAI_API_KEY", "two words", 1);
	assert_int_equal(init(NULL, 0), -EINVAL);
	assert_null(strstr(err.text, "two words"));
	unsetenv("OPENAI_API_KEY");
	unsetenv("XAI_API_KEY");
	unsetenv("GROQ_API_KEY");
	snprintf(path, sizeof(path), "%s/OPENAI_API_KEY", directory);
	unlink(path);
	snprintf(path, sizeof(path), "%s/XAI_API_KEY", directory);
	unlink(path);
	rmdir(directory);
}

/* Whoever runs the tests may have keys. */
static int forget_keys(void **state)
{
	static const char *const names[] = {"ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "GROQ_API_KEY",
		"MISTRAL_API_KEY", "OLLAMA_API_KEY", "OPENAI_API_KEY", "OPENROUTER_API_KEY",
		"XAI_API_KEY", "CREDENTIALS_DIRECTORY"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		unsetenv(names[i]);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_providers_want_their_keys),
		cmocka_unit_test(a_model_names_its_provider),
		cmocka_unit_test(what_is_configured_goes_over_what_is_built_in),
		cmocka_unit_test(bad_names_and_addresses_are_refused),
		cmocka_unit_test(more_providers_than_there_is_room_for_are_refused),
		cmocka_unit_test(a_key_is_the_options_the_files_or_the_environments_in_this_order),
	};

	return cmocka_run_group_tests(tests, forget_keys, finish);
}
