#include "agentd/tool/headtail.h"

#include <errno.h>
#include <event2/buffer.h>

#include "agentd/utf8.h"
#include "base/cleanup.h"

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t half(const struct headtail *kept)
{
	return (kept->kept ? kept->kept : HEADTAIL_KEPT) / 2;
}

int headtail_add(struct headtail *kept, const void *data, size_t size)
{
	size_t to_head, length;

	if (!kept->head)
		kept->head = evbuffer_new();
	if (!kept->tail)
		kept->tail = evbuffer_new();
	if (!kept->head || !kept->tail)
		return -ENOMEM;
	to_head = smaller(size, half(kept) - evbuffer_get_length(kept->head));
	if (evbuffer_add(kept->head, data, to_head) < 0)
		return -ENOMEM;
	if (evbuffer_add(kept->tail, (const char *)data + to_head, size - to_head) < 0)
		return -ENOMEM;
	length = evbuffer_get_length(kept->tail);
	if (length > half(kept))
		evbuffer_drain(kept->tail, length - half(kept));
	kept->total += size;
	return 0;
}

void headtail_drain(struct headtail *kept, size_t size)
{
	size = kept->head ? smaller(size, evbuffer_get_length(kept->head)) : 0;
	if (size > 0)
		evbuffer_drain(kept->head, size);
	kept->total -= size;
}

void headtail_finish(struct headtail *kept)
{
	if (kept->head)
		evbuffer_free(kept->head);
	if (kept->tail)
		evbuffer_free(kept->tail);
	kept->head = kept->tail = NULL;
}

/* The continuation bytes that a cut has left at the front of a tail. */
static size_t broken_start(const char *data, size_t length)
{
	size_t n = 0;

	while (n < UTF8_SEQUENCE_MAX - 1 && n < length && ((unsigned char)data[n] & 0xc0) == 0x80)
		n++;
	return n;
}

/* What is kept, in one piece: behind the head the cut is, if anything was cut yet. */
static char *join(const struct headtail *kept, size_t *ret_length)
{
	size_t head_length = evbuffer_get_length(kept->head);
	size_t tail_length = evbuffer_get_length(kept->tail);
	char *all = malloc(head_length + tail_length + 1);

	if (!all)
		return NULL;
	evbuffer_copyout(kept->head, all, head_length);
	evbuffer_copyout(kept->tail, all + head_length, tail_length);
	*ret_length = head_length + tail_length;
	return all;
}

int headtail_format(const struct headtail *kept, size_t budget, struct evbuffer *to)
{
	auto_free char *all = NULL;
	size_t length, head, tail;

	if (kept->total == 0)
		return 0;
	all = join(kept, &length);
	if (!all)
		return -ENOMEM;
	if (kept->total <= budget)
		return evbuffer_add(to, all, length) < 0 ? -ENOMEM : 0;

	head = utf8_whole_length(all, smaller(length, budget / 2));
	tail = length - smaller(length - head, budget / 2);
	tail += broken_start(all + tail, length - tail);
	if (evbuffer_add(to, all, head) < 0 ||
		evbuffer_add_printf(to, "\n[... %llu bytes cut ...]\n",
			(unsigned long long)(kept->total - head - (length - tail))) < 0 ||
		evbuffer_add(to, all + tail, length - tail) < 0)
		return -ENOMEM;
	return 0;
}
