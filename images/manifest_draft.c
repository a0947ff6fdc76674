#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "images/manifest.h"

struct manifest_draft {
	json_t *json;
};

int manifest_draft_create(struct manifest_draft **ret_draft, struct error *err)
{
	struct manifest_draft *draft = calloc(1, sizeof(*draft));

	if (draft)
		draft->json = json_pack(
			"{s:i, s:[], s:[], s:[]}", "format", 1, "packages", "env", "extra_cas");
	if (!draft || !draft->json) {
		manifest_draft_destroy(draft);
		return error_set(err, ENOMEM, "out of memory");
	}
	*ret_draft = draft;
	return 0;
}

void manifest_draft_destroy(struct manifest_draft *draft)
{
	if (!draft)
		return;
	json_decref(draft->json);
	free(draft);
}

static int append(struct manifest_draft *draft, const char *key, json_t *value)
{
	return json_array_append_new(json_object_get(draft->json, key), value);
}

static int append_ca(struct manifest_draft *draft, const char *text)
{
	const char *space = strrchr(text, ' ');

	if (!space)
		return -1;
	return append(draft, "extra_cas",
		json_pack(
			"{s:s%, s:s}", "name", text, (size_t)(space - text), "sha256", space + 1));
}

int manifest_draft_add(struct manifest_draft *draft, const char *line, struct error *err)
{
	const char *space = strchr(line, ' ');
	const char *text = space ? space + 1 : "";
	size_t length = space ? (size_t)(space - line) : strlen(line);
	int r = -1;

	if (length == 7 && strncmp(line, "version", length) == 0)
		r = json_object_set_new(draft->json, "version", json_string(text));
	else if (length == 3 && strncmp(line, "cwd", length) == 0)
		r = json_object_set_new(draft->json, "cwd", json_string(text));
	else if (length == 3 && strncmp(line, "env", length) == 0)
		r = append(draft, "env", json_string(text));
	else if (length == 7 && strncmp(line, "package", length) == 0)
		r = append(draft, "packages", json_string(text));
	else if (length == 2 && strncmp(line, "ca", length) == 0)
		r = append_ca(draft, text);
	if (r < 0)
		return error_set(err, EPROTO, "the recipe said \"%.100s\"", line);
	return 0;
}

int manifest_draft_write(struct manifest_draft *draft, int dirfd,
	const struct image_manifest *measured, const char *recipe_digest, struct error *err)
{
	struct image_manifest checked;
	auto_free char *text = NULL;
	size_t size;
	int r = json_object_update_new(
		draft->json, json_pack("{s:s, s:s, s:s, s:I, s:I, s:s}", "name", measured->name,
				     "created", measured->created, "digest", measured->digest,
				     "bytes", (json_int_t)measured->bytes, "entries",
				     (json_int_t)measured->entries, "recipe", recipe_digest));

	if (r == 0)
		text = json_dumps(draft->json, JSON_INDENT(2));
	if (!text)
		return error_set(err, ENOMEM, "%s: out of memory", MANIFEST_FILE);
	size = strlen(text);
	/* What the recipe said is held against the reader's rules before it can be stored. */
	r = manifest_parse(text, size, measured->name, &checked, err);
	if (r < 0)
		return error_prefix(err, r, "what the recipe said");
	manifest_finish(&checked);
	return file_replace_at(dirfd, MANIFEST_FILE, text, size, 0644, err);
}
