/*
 * list.h - intrusive doubly linked ring: no allocation, O(1) insertion and removal.
 *
 * A head and each member are a struct list; list_init() makes a ring of one. A member that is in no
 * list is a ring of one too, so list_remove() may be called twice.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H
#include <stdbool.h>
#include <stddef.h>

struct list {
	struct list *prev, *next;
};

static inline void list_init(struct list *l)
{
	l->prev = l->next = l;
}

static inline bool list_is_empty(const struct list *head)
{
	return head->next == head;
}

/* Append at the tail: with list_first() this is first-in first-out. */
static inline void list_append(struct list *head, struct list *l)
{
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

static inline void list_prepend(struct list *head, struct list *l)
{
	list_append(head->next, l);
}

static inline void list_remove(struct list *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	list_init(l);
}

#define list_entry(l, type, member) ((type *)(void *)((char *)(l)-offsetof(type, member)))

/* First member, or NULL when empty. */
#define list_first(head, type, member)                                                             \
	(list_is_empty(head) ? NULL : list_entry((head)->next, type, member))

/* Safe against removal of the current member only: `next` is read before the body. */
#define list_for_each_safe(pos, next_, head)                                                       \
	for (struct list *pos = (head)->next, *next_ = pos->next; pos != (head);                   \
		pos = next_, next_ = pos->next)
#define list_for_each(pos, head)                                                                   \
	for (struct list *pos = (head)->next; pos != (head); pos = pos->next)
#endif
