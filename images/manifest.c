#define _GNU_SOURCE 1 /* strptime */
#include "images/manifest.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

#define FORMAT 1

static const char *const keys[] = {"format", "name", "version", "created", "digest", "bytes",
	"entries", "packages", "env", "cwd", "extra_cas", "recipe"};

static int refuse(struct error *err, const char *key, const char *why)
{
	return error_set(err, EPROTO, "%s: %s: %s", MANIFEST_FILE, key, why);
}

static bool is_printable(const char *text)
{
	bool is_shown = true;

	while (*text && is_shown)
		text += text_next(text, strlen(text), &is_shown);
	return is_shown;
}

static bool is_hex(const char *text, size_t length)
{
	return strlen(text) == length && strspn(text, "0123456789abcdef") == length;
}

static bool is_digest(const char *text)
{
	return strncmp(text, "sha256:", 7) == 0 && is_hex(text + 7, 64);
}

static bool is_time(const char *text)
{
	struct tm tm = {0};
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);

	return strlen(text) == strlen("2026-01-31T12:00:00Z") && end && !*end;
}

static bool is_directory_path(const char *text)
{
	return text[0] == '/' && is_printable(text) && !strstr(text, "/../") &&
	       (strlen(text) < 3 || strcmp(text + strlen(text) - 3, "/..") != 0);
}

static bool is_assignment(const char *text)
{
	static const char name[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
	size_t length = strspn(text, name);

	return length > 0 && (text[0] < '0' || text[0] > '9') && text[length] == '=';
}

static int read_string(const json_t *json, const char *key, char *to, size_t size,
	bool (*is_good)(const char *text), struct error *err)
{
	const char *text = json_string_value(json_object_get(json, key));

	if (!text)
		return refuse(err, key, "not a string");
	if (!*text || !is_good(text))
		return refuse(err, key, "not a valid value");
	return text_copy(to, size, text) < 0 ? refuse(err, key, "too long") : 0;
}

static int read_number(const json_t *json, const char *key, uint64_t *ret, struct error *err)
{
	const json_t *value = json_object_get(json, key);

	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return refuse(err, key, "not a whole number");
	*ret = (uint64_t)json_integer_value(value);
	return 0;
}

static int check_array(const json_t *json, const char *key, size_t max, struct error *err)
{
	const json_t *array = json_object_get(json, key);

	if (!json_is_array(array))
		return refuse(err, key, "not an array");
	return json_array_size(array) > max ? refuse(err, key, "too many") : 0;
}

static int check_packages(const json_t *json, unsigned *ret_count, struct error *err)
{
	const json_t *array = json_object_get(json, "packages");
	int r = check_array(json, "packages", MANIFEST_PACKAGES_MAX, err);
	const char *text;
	const json_t *value;
	size_t i;

	if (r < 0)
		return r;
	json_array_foreach(array, i, value)
	{
		text = json_string_value(value);
		if (!text || !is_printable(text) || !strchr(text, ' '))
			return refuse(err, "packages", "not \"NAME VERSION\"");
	}
	*ret_count = (unsigned)json_array_size(array);
	return 0;
}

static int check_cas(const json_t *json, struct error *err)
{
	const json_t *array = json_object_get(json, "extra_cas");
	int r = check_array(json, "extra_cas", MANIFEST_CAS_MAX, err);
	const json_t *value;
	size_t i;

	if (r < 0)
		return r;
	json_array_foreach(array, i, value)
	{
		const char *name = json_string_value(json_object_get(value, "name"));
		const char *sum = json_string_value(json_object_get(value, "sha256"));

		if (!name || !*name || !is_printable(name) || !sum || !is_hex(sum, 64))
			return refuse(err, "extra_cas", "not {\"name\", \"sha256\"}");
	}
	return 0;
}

static int read_env(const json_t *json, char ***ret_env, struct error *err)
{
	const json_t *array = json_object_get(json, "env"), *value;
	int r = check_array(json, "env", MANIFEST_ENV_MAX, err);
	struct image_manifest partial = {.env = NULL};
	size_t i, size = 0;

	if (r < 0)
		return r;
	partial.env = calloc(json_array_size(array) + 1, sizeof(*partial.env));
	if (!partial.env)
		return error_set(err, ENOMEM, "out of memory");
	json_array_foreach(array, i, value)
	{
		const char *text = json_string_value(value);

		size += text ? strlen(text) + 1 : 0;
		if (!text || !is_assignment(text) || size > MANIFEST_ENV_SIZE_MAX) {
			manifest_finish(&partial);
			return refuse(err, "env", "not \"NAME=VALUE\", or too long");
		}
		partial.env[i] = strdup(text);
		if (!partial.env[i]) {
			manifest_finish(&partial);
			return error_set(err, ENOMEM, "out of memory");
		}
	}
	*ret_env = partial.env;
	return 0;
}

static int check_keys(json_t *json, struct error *err)
{
	uint64_t format;
	const char *key;
	json_t *value;
	int r;

	if (!json_is_object(json))
		return refuse(err, "top", "not an object");
	r = read_number(json, "format", &format, err);
	if (r < 0)
		return r;
	if (format != FORMAT)
		return refuse(err, "format", "not one that this version reads");
	json_object_foreach(json, key, value)
	{
		size_t i = 0;

		while (i < ARRAY_SIZE(keys) && strcmp(key, keys[i]) != 0)
			i++;
		if (i == ARRAY_SIZE(keys))
			return refuse(err, is_printable(key) ? key : "key", "unknown");
	}
	return 0;
}

static int read_strings(const json_t *json, struct image_manifest *m, struct error *err)
{
	char recipe[IMAGE_DIGEST_MAX];
	int r = read_string(json, "version", m->version, sizeof(m->version), is_printable, err);

	if (r == 0)
		r = read_string(json, "created", m->created, sizeof(m->created), is_time, err);
	if (r == 0)
		r = read_string(json, "digest", m->digest, sizeof(m->digest), is_digest, err);
	if (r == 0)
		r = read_string(json, "cwd", m->cwd, sizeof(m->cwd), is_directory_path, err);
	if (r == 0)
		r = read_string(json, "recipe", recipe, sizeof(recipe), is_digest, err);
	return r;
}

/* env last: it is the only field that owns memory. */
static int read_fields(json_t *json, const char *name, struct image_manifest *m, struct error *err)
{
	int r = check_keys(json, err);

	if (r == 0)
		r = read_string(json, "name", m->name, sizeof(m->name), is_printable, err);
	if (r == 0 && strcmp(m->name, name) != 0)
		r = refuse(err, "name", "not that of its directory");
	if (r == 0)
		r = read_strings(json, m, err);
	if (r == 0)
		r = read_number(json, "bytes", &m->bytes, err);
	if (r == 0)
		r = read_number(json, "entries", &m->entries, err);
	if (r == 0)
		r = check_packages(json, &m->package_count, err);
	if (r == 0)
		r = check_cas(json, err);
	return r == 0 ? read_env(json, &m->env, err) : r;
}

int manifest_parse(const char *text, size_t size, const char *name,
	struct image_manifest *ret_manifest, struct error *err)
{
	struct image_manifest m = {.env = NULL};
	json_auto_t *json = NULL;
	json_error_t why;
	int r;

	if (size > MANIFEST_SIZE_MAX)
		return error_set(err, EPROTO, "%s: too long", MANIFEST_FILE);
	json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &why);
	if (!json)
		return error_set(err, EPROTO, "%s: line %d: %s", MANIFEST_FILE, why.line, why.text);
	r = read_fields(json, name, &m, err);
	if (r == 0)
		*ret_manifest = m;
	return r;
}

int manifest_read(
	int dirfd, const char *name, struct image_manifest *ret_manifest, struct error *err)
{
	auto_free char *text = NULL;
	struct stat st;
	ssize_t size = -EPROTO;

	/* To open a FIFO is to wait for its writer. */
	if (fstatat(dirfd, MANIFEST_FILE, &st, 0) == 0 && S_ISREG(st.st_mode))
		size = file_read_all_at(dirfd, MANIFEST_FILE, MANIFEST_SIZE_MAX, &text, err);
	if (size == -EPROTO || size == -ENOENT || size == -EFBIG)
		return error_set(err, EPROTO, "%s: missing or not a manifest", MANIFEST_FILE);
	if (size < 0)
		return (int)size;
	return manifest_parse(text, (size_t)size, name, ret_manifest, err);
}

void manifest_finish(struct image_manifest *manifest)
{
	for (char **p = manifest->env; p && *p; p++)
		free(*p);
	free(manifest->env);
	manifest->env = NULL;
}
