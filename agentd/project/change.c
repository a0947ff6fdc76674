/* Changes of agents.json: what it would be is read as if it stood there, and written only when it has no errors. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/project/content.h"
#include "agentd/project/folder.h"
#include "agentd/project/source.h"
#include "base/cleanup.h"
#include "base/error.h"

#define AGENTS_FILE "agents.json"
/* 15 digits are what a double keeps of a decimal number: 0.7 stays 0.7. */
#define FORMAT (JSON_INDENT(2) | JSON_REAL_PRECISION(15))

/* agents.json as a value, to be changed. */
struct draft {
	int base_fd;
	json_t *root;
	json_t *list; /* borrowed from root */
};

static void draft_finish(struct draft *draft)
{
	json_decref(draft->root);
	fd_close(draft->base_fd);
}

#define auto_draft __attribute__((cleanup(draft_finish)))

static int parse(const struct source *source, struct problems *problems, json_t **ret_root,
	struct error *err)
{
	int r = 0;
	json_t *root =
		agents_load_json(source->file, source->text, source->size, problems, &r, err);

	if (!root)
		return r;
	if (!agents_list(root)) {
		json_decref(root);
		return error_set(err, EINVAL, "%s: is no list of agents", source->file);
	}
	*ret_root = root;
	return 0;
}

static int draft_open(const struct project *project, struct draft *draft, struct error *err)
{
	struct source source = {.text = NULL};
	struct problems problems = {.rows = NULL};
	const char *base;
	int r;

	draft->base_fd = folder_open_base(project->dirfd, &base, err);
	if (draft->base_fd < 0)
		return draft->base_fd;
	r = source_read(draft->base_fd, base, AGENTS_FILE, &source, &problems, err);
	if (r > 0)
		r = parse(&source, &problems, &draft->root, err);
	else if (r == 0)
		draft->root = json_array();
	if (r == -EINVAL && problems.errors > 0)
		r = problems_end(&problems, err); /* tells more */
	source_finish(&source);
	problems_finish(&problems);
	if (r == 0 && !draft->root)
		r = error_set(err, ENOMEM, "out of memory");
	draft->list = agents_list(draft->root);
	return r;
}

static int write_text(const struct draft *draft, char **ret_text, struct error *err)
{
	auto_free char *text = json_dumps(draft->root, FORMAT);

	if (!text || asprintf(ret_text, "%s\n", text) < 0)
		return error_set(err, ENOMEM, "out of memory");
	if (strlen(*ret_text) <= PROJECT_FILE_MAX)
		return 0;
	free(take_ptr(ret_text));
	return error_set(err, EINVAL, "%s would be longer than %d bytes: remove agents",
		AGENTS_FILE, PROJECT_FILE_MAX);
}

static int draft_write(struct project *project, const struct draft *draft, struct error *err)
{
	struct content *content;
	auto_free char *text = NULL;
	int r = write_text(draft, &text, err);

	if (r == 0)
		r = content_load(project->dirfd, project->tools, text, &content, err);
	if (r < 0)
		return r;
	r = problems_end(&content->problems, err);
	content_free(content);
	if (r == 0)
		r = folder_replace(draft->base_fd, AGENTS_FILE, text, err);
	if (r == 0)
		r = project_reload(project, err);
	return r < 0 ? r : 0;
}

/* Its element in the list, NULL: there is none. */
static json_t *find_element(const struct draft *draft, const char *name, size_t *ret_index)
{
	json_t *element;
	size_t index;

	json_array_foreach(draft->list, index, element)
	{
		const char *own =
			json_string_value(json_object_get(agents_unwrap(element), "name"));

		if (own && strcmp(own, name) == 0) {
			*ret_index = index;
			return element;
		}
	}
	return NULL;
}

/* In the shape that the last element has, where teamName stands around the agent. */
static json_t *make_element(const struct draft *draft, const json_t *agent)
{
	const json_t *last = json_array_get(draft->list, json_array_size(draft->list) - 1);
	json_t *copy = json_copy((json_t *)agent), *team, *element;

	if (!copy || !last || agents_unwrap(last) == last)
		return copy;
	team = json_incref(json_object_get(copy, "teamName"));
	json_object_del(copy, "teamName");
	element = json_pack("{s:o}", "agent", copy);
	if (element && team)
		json_object_set(element, "teamName", team);
	json_decref(team);
	return element;
}

int project_agent_create(struct project *project, const json_t *agent, struct error *err)
{
	auto_draft struct draft draft = {.base_fd = -1};
	const char *name = json_string_value(json_object_get(agent, "name"));
	size_t index;
	int r;

	if (!name)
		return error_set(err, EINVAL, "agent: name is required: add \"name\": \"coder\"");
	r = draft_open(project, &draft, err);
	if (r < 0)
		return r;
	if (find_element(&draft, name, &index))
		return error_set(err, EEXIST, "there is an agent %.64s already", name);
	if (json_array_append_new(draft.list, make_element(&draft, agent)) < 0)
		return error_set(err, ENOMEM, "out of memory");
	return draft_write(project, &draft, err);
}

static int set_member(json_t *object, const char *key, json_t *value)
{
	if (!json_is_null(value))
		return json_object_set(object, key, value);
	json_object_del(object, key);
	return 0;
}

static int merge(json_t *element, const json_t *changes, struct error *err)
{
	json_t *agent = agents_unwrap(element);
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)changes, key, value)
	{
		bool is_outer = agent != element && strcmp(key, "teamName") == 0;

		if (strcmp(key, "name") == 0 && !json_equal(value, json_object_get(agent, key)))
			return error_set(err, EINVAL,
				"an agent keeps its name, which sessions and memory go by: create "
				"another");
		if (set_member(is_outer ? element : agent, key, value) < 0)
			return error_set(err, ENOMEM, "out of memory");
	}
	return 0;
}

static int no_agent(const char *name, struct error *err)
{
	return error_set(err, ENOENT, "there is no agent %.64s", name);
}

int project_agent_patch(
	struct project *project, const char *name, const json_t *changes, struct error *err)
{
	auto_draft struct draft draft = {.base_fd = -1};
	json_t *element;
	size_t index;
	int r;

	if (!json_is_object(changes))
		return error_set(err, EINVAL, "changes must be an object");
	r = draft_open(project, &draft, err);
	if (r < 0)
		return r;
	element = find_element(&draft, name, &index);
	if (!element)
		return no_agent(name, err);
	r = merge(element, changes, err);
	return r < 0 ? r : draft_write(project, &draft, err);
}

int project_agent_delete(struct project *project, const char *name, struct error *err)
{
	auto_draft struct draft draft = {.base_fd = -1};
	size_t index;
	int r = draft_open(project, &draft, err);

	if (r < 0)
		return r;
	if (!find_element(&draft, name, &index))
		return no_agent(name, err);
	json_array_remove(draft.list, index);
	return draft_write(project, &draft, err);
}
