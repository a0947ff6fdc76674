/*
 * What the next builds take, made while nobody asks for anything: cgroups for each template, and the private root
 * for the slot that has been free longest, which is the one that the host takes next. A build makes itself
 * what is not there, and then says why it cannot: here a failure only ends the tries until the next message.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"
#include "base/fd.h"
#include "nsjail-lite/builder/builder.h"

static int make_cgroup(struct builder *b, struct template *t, struct error *err)
{
	char name[64];
	int r;

	snprintf(name, sizeof(name), "%s%" PRIu64, b->prefix, b->cgroups_made++);
	r = cgroup_create(&b->base, name, &t->limits, &t->stock[t->stocked], err);
	if (r == 0)
		t->stocked++;
	return r;
}

int ahead_take_cgroup(
	struct builder *b, struct template *t, struct cgroup *ret_cgroup, struct error *err)
{
	int r = t->stocked > 0 ? 0 : make_cgroup(b, t, err);

	if (r == 0)
		*ret_cgroup = t->stock[--t->stocked];
	return r;
}

/* For the template that was built last. */
static int make_root(struct builder *b)
{
	struct ahead *ahead = &b->ahead;
	const struct slot *slot = list_first(&b->free_slots, struct slot, free);
	int r = root_create(b, ahead->root_template, slot, &ahead->root, NULL);

	if (r == 0)
		ahead->root_slot = slot;
	return r;
}

int ahead_take_root(struct builder *b, const struct template *t, const struct slot *slot,
	struct private_root *ret_root, struct error *err)
{
	struct ahead *ahead = &b->ahead;
	const bool is_it = ahead->root_slot == slot && ahead->root_template == t;

	if (is_it) {
		*ret_root = ahead->root;
		ahead->root_slot = NULL;
		return 0;
	}
	/* Of the slot's other template, or of one that is no longer built. */
	if (ahead->root_slot == slot || ahead->root_template != t)
		ahead_drop_root(b);
	ahead->root_template = t;
	return root_create(b, t, slot, ret_root, err);
}

void ahead_drop_root(struct builder *b)
{
	if (b->ahead.root_slot)
		root_close(&b->ahead.root);
	b->ahead.root_slot = NULL;
}

static bool wants_root(const struct builder *b)
{
	const struct slot *slot = list_first(&b->free_slots, struct slot, free);

	return b->ahead.root_template->is_set && !b->ahead.root_slot && slot &&
	       slot->userns_fd >= 0;
}

static struct template *wants_cgroup(struct builder *b)
{
	for (size_t i = 0; i < JAIL_TEMPLATES_MAX; i++)
		if (b->templates[i].is_set && b->templates[i].stocked < BUILDER_STOCK)
			return &b->templates[i];
	return NULL;
}

bool ahead_is_wanted(struct builder *b)
{
	return !b->is_one_shot && !b->ahead.has_failed &&
	       (b->wants_spare || wants_root(b) || wants_cgroup(b));
}

void ahead_make(struct builder *b)
{
	struct template *t = wants_cgroup(b);
	int r = 0;

	if (b->wants_spare)
		bind_make_spare(b);
	else if (t)
		r = make_cgroup(b, t, NULL);
	else if (wants_root(b))
		r = make_root(b);
	b->ahead.has_failed = r < 0;
}
