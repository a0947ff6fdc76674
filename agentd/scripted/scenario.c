#include "agentd/scripted/scenario.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "agentd/scripted/place.h"
#include "agentd/scripted/scenario_step.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/list.h"

struct list_of_steps {
	struct scenario_step *steps;
	size_t count;
};

/* How far one conversation has come in its group. */
struct counter {
	struct list in_scenario;
	size_t group;
	json_t *first_user;
	size_t step;
	uint64_t used; /* times that this step was taken */
};

struct group {
	json_t *match;
	struct list_of_steps list;
};

struct scenario {
	struct list_of_steps list; /* for whoever is in no group */
	struct counter counter;	   /* of that list: one for the process */
	struct group *groups;
	size_t group_count;
	struct list counters; /* of groups, the least recently used first */
	size_t counter_count;
};

static void counter_destroy(struct counter *counter)
{
	list_remove(&counter->in_scenario);
	json_decref(counter->first_user);
	free(counter);
}

static void destroy_steps(struct list_of_steps *list)
{
	for (size_t i = 0; i < list->count; i++)
		scenario_step_finish(&list->steps[i]);
	free(list->steps);
}

void scenario_destroy(struct scenario *scenario)
{
	struct counter *counter;

	if (!scenario)
		return;
	while ((counter = list_first(&scenario->counters, struct counter, in_scenario)))
		counter_destroy(counter);
	for (size_t i = 0; i < scenario->group_count; i++) {
		json_decref(scenario->groups[i].match);
		destroy_steps(&scenario->groups[i].list);
	}
	free(scenario->groups);
	destroy_steps(&scenario->list);
	free(scenario);
}

static void cleanup_scenario(struct scenario **scenario)
{
	scenario_destroy(*scenario);
}

static int parse_steps(const json_t *value, const struct place *place, struct list_of_steps *list,
	struct error *err)
{
	size_t index;
	const json_t *item;

	if (!json_is_array(value) || json_array_size(value) > SCENARIO_STEPS_MAX)
		return place_refuse(
			place, err, "an array of at most %d steps is wanted", SCENARIO_STEPS_MAX);
	list->steps = calloc(json_array_size(value) + 1, sizeof(*list->steps));
	if (!list->steps)
		return error_set(err, ENOMEM, "out of memory");
	json_array_foreach(value, index, item)
	{
		const struct place of_step = {.parent = place, .index = index};
		int r = scenario_step_parse(item, &of_step, &list->steps[list->count++], err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int parse_group(
	const json_t *value, const struct place *place, struct group *group, struct error *err)
{
	const struct place of_match = {.parent = place, .key = "match"};
	const struct place of_steps = {.parent = place, .key = "steps"};
	json_t *match = json_object_get(value, "match");

	if (json_object_size(value) != 2 || !match || !json_object_get(value, "steps"))
		return place_refuse(place, err, "{\"match\": \"...\", \"steps\": [...]} is wanted");
	if (json_string_length(match) == 0)
		return place_refuse(
			&of_match, err, "a part of the last user message is wanted, a string");
	group->match = json_incref(match);
	return parse_steps(json_object_get(value, "steps"), &of_steps, &group->list, err);
}

static int parse_groups(const json_t *value, const struct place *place, struct scenario *scenario,
	struct error *err)
{
	size_t index;
	const json_t *item;

	if (!json_is_array(value) || json_array_size(value) > SCENARIO_GROUPS_MAX)
		return place_refuse(place, err, "an array of at most %d conversations is wanted",
			SCENARIO_GROUPS_MAX);
	scenario->groups = calloc(json_array_size(value) + 1, sizeof(*scenario->groups));
	if (!scenario->groups)
		return error_set(err, ENOMEM, "out of memory");
	json_array_foreach(value, index, item)
	{
		const struct place of_group = {.parent = place, .index = index};
		int r = parse_group(
			item, &of_group, &scenario->groups[scenario->group_count++], err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int parse_root(
	const json_t *root, const struct place *place, struct scenario *scenario, struct error *err)
{
	const char *key;
	json_t *member;
	int r;

	if (!json_is_object(root) || json_object_size(root) == 0)
		return place_refuse(place, err, "{\"steps\": [...]} is wanted");
	json_object_foreach((json_t *)root, key, member)
	{
		const struct place of_member = {.parent = place, .key = key};

		if (strcmp(key, "steps") == 0)
			r = parse_steps(member, &of_member, &scenario->list, err);
		else if (strcmp(key, "conversations") == 0)
			r = parse_groups(member, &of_member, scenario, err);
		else
			r = place_refuse(&of_member, err,
				"unknown member; a scenario has steps and conversations");
		if (r < 0)
			return r;
	}
	return 0;
}

int scenario_parse(const char *text, size_t size, struct scenario **ret_scenario, struct error *err)
{
	__attribute__((cleanup(cleanup_scenario))) struct scenario *scenario = NULL;
	auto_free char *copy = strndup(text, size); /* a place wants its end to be seen */
	json_error_t why;
	json_auto_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
	const struct place place = {.text = copy};
	int r;

	if (!root)
		return error_set(
			err, EINVAL, "line %d: %.150s", why.line > 0 ? why.line : 1, why.text);
	scenario = calloc(1, sizeof(*scenario));
	if (!scenario || !copy) {
		if (scenario)
			list_init(&scenario->counters);
		return error_set(err, ENOMEM, "out of memory");
	}
	list_init(&scenario->counters);
	r = parse_root(root, &place, scenario, err);
	if (r < 0)
		return r;
	*ret_scenario = take_ptr(&scenario);
	return 0;
}

int scenario_read(const char *path, struct scenario **ret_scenario, struct error *err)
{
	auto_free char *text = NULL;
	ssize_t size = file_read_all_at(AT_FDCWD, path, SCENARIO_FILE_MAX, &text, err);

	return size < 0 ? (int)size : scenario_parse(text, (size_t)size, ret_scenario, err);
}

/* True: a copy of the step that the counter stands at, which has moved on. */
static bool take_step(
	const struct list_of_steps *list, struct counter *counter, struct scenario_step *ret_step)
{
	const struct scenario_step *step;

	if (counter->step == list->count)
		return false;
	step = &list->steps[counter->step];
	scenario_step_copy(step, ret_step);
	if (++counter->used == step->repeat) {
		counter->step++;
		counter->used = 0;
	}
	return true;
}

/* Found or new, and now the most recently used. NULL: out of memory. */
static struct counter *find_counter(
	struct scenario *scenario, size_t group, const json_t *first_user)
{
	struct counter *counter;

	list_for_each(member, &scenario->counters)
	{
		counter = list_entry(member, struct counter, in_scenario);
		if (counter->group != group || !json_equal(counter->first_user, first_user))
			continue;
		list_remove(&counter->in_scenario);
		list_append(&scenario->counters, &counter->in_scenario);
		return counter;
	}
	if (scenario->counter_count == SCENARIO_COUNTERS_MAX) {
		counter_destroy(list_first(&scenario->counters, struct counter, in_scenario));
		scenario->counter_count--;
	}
	counter = calloc(1, sizeof(*counter));
	if (!counter)
		return NULL;
	counter->group = group;
	counter->first_user = json_incref((json_t *)first_user);
	list_append(&scenario->counters, &counter->in_scenario);
	scenario->counter_count++;
	return counter;
}

static bool is_part(const json_t *part, const json_t *of)
{
	return memmem(json_string_value(of), json_string_length(of), json_string_value(part),
		       json_string_length(part)) != NULL;
}

bool scenario_next(struct scenario *scenario, const json_t *first_user, const json_t *last_user,
	struct scenario_step *ret_step)
{
	struct counter *counter;

	if (!scenario)
		return false;
	for (size_t i = 0; first_user && last_user && i < scenario->group_count; i++) {
		if (!is_part(scenario->groups[i].match, last_user))
			continue;
		counter = find_counter(scenario, i, first_user);
		return counter && take_step(&scenario->groups[i].list, counter, ret_step);
	}
	return take_step(&scenario->list, &scenario->counter, ret_step);
}
