/*
 * fake_builder.c - a builder that builds nothing: it speaks link.h on fd 3 and pretends, without root.
 *
 * Its sandboxes are socket pairs. A packet on a channel ends that sandbox by itself: "die", "oom" (killed by
 * its memory limit), "late" (it outlived an OOM, then died of something else). A frozen one reads nothing until
 * it goes on.
 * FAKE_BUILDER, words with a number each, says what goes wrong; messages and builds count from 1:
 *
 *   die_at=N      exit at the N-th message        hang_at=N     never answer from the N-th message on
 *   wrong_at=N    answer the N-th with nonsense   fail_start=1  START fails
 *   fail_slots=N  the first N SLOTs fail          fail_builds=N the first N BUILDs fail
 *   fail_binds=N  the first N BINDs fail          soft=1        no file system holds a workspace's size
 *   end_binds=N  the first N BINDs find a sandbox that has just died
 *   hangup=N      the N-th sandbox hangs up when it is built; its end is told only after KILL
 *   memory=N      that much is charged to each sandbox when it is built
 *   ended=N       the N-th sandbox ends by itself when it is built
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "nsjail-lite/builder/link.h"
#include "proto/channel.h"
#include "proto/control.h"

#define LINK_FD	      3
#define SANDBOXES_MAX 1024

struct fake {
	unsigned die_at, hang_at, wrong_at;
	unsigned fail_start, fail_slots, fail_builds, fail_binds, end_binds, soft;
	unsigned hangup, ended, memory;
	unsigned messages, builds;
	size_t count;
	struct {
		uint64_t id;
		uint32_t slot;
		bool is_bound;
	} sandbox[SANDBOXES_MAX];
	struct pollfd fds[1 + SANDBOXES_MAX]; /* the link, then one per sandbox */
};

static void parse(struct fake *f, const char *text)
{
	const struct {
		const char *name;
		unsigned *value;
	} words[] = {
		{"die_at=", &f->die_at},
		{"hang_at=", &f->hang_at},
		{"wrong_at=", &f->wrong_at},
		{"fail_start=", &f->fail_start},
		{"fail_slots=", &f->fail_slots},
		{"fail_builds=", &f->fail_builds},
		{"fail_binds=", &f->fail_binds},
		{"end_binds=", &f->end_binds},
		{"soft=", &f->soft},
		{"hangup=", &f->hangup},
		{"ended=", &f->ended},
		{"memory=", &f->memory},
	};

	for (size_t i = 0; text && i < ARRAY_SIZE(words); i++) {
		const char *found = strstr(text, words[i].name);

		if (found)
			*words[i].value =
				(unsigned)strtoul(found + strlen(words[i].name), NULL, 10);
	}
}

static void say(const void *message, size_t size, int fd)
{
	if (channel_send(LINK_FD, message, size, NULL, 0, &fd, fd >= 0 ? 1 : 0) < 0)
		_exit(0); /* the end of the link is the end of a builder */
}

static void fail(uint64_t sandbox, uint32_t slot, const char *why)
{
	struct link_failed m = {.sandbox = sandbox, .slot = slot, .error = EIO};

	link_header(&m.header, LINK_FAILED, sizeof(m));
	snprintf(m.text, sizeof(m.text), "%s", why);
	say(&m, sizeof(m), -1);
}

static void on_start(const struct fake *f)
{
	struct link_started m;

	if (f->fail_start) {
		fail(0, 0, "pretended: no overlay");
		_exit(1);
	}
	link_header(&m.header, LINK_STARTED, sizeof(m));
	say(&m, sizeof(m), -1);
}

static void on_slot(struct fake *f, const struct link_slot *slot)
{
	struct link_slot_ready m = {.slot = slot->slot};

	if (f->fail_slots > 0) {
		f->fail_slots--;
		fail(0, slot->slot, "pretended: no user namespace");
		return;
	}
	link_header(&m.header, LINK_SLOT_READY, sizeof(m));
	say(&m, sizeof(m), -1);
}

static void end(struct fake *f, size_t i, bool was_asked, const char *word)
{
	bool is_oom = strcmp(word, "oom") == 0;
	struct link_ended m = {
		.sandbox = f->sandbox[i].id,
		.slot = f->sandbox[i].slot,
		.limits_hit = is_oom || strcmp(word, "late") == 0 ? LIMIT_HIT_MEMORY : 0,
		.was_asked = was_asked,
		.wait_status = is_oom || was_asked ? SIGKILL : 0,
		.usage = {1000, 4096, 1, 2, 3, is_oom},
	};

	link_header(&m.header, LINK_ENDED, sizeof(m));
	fd_close(f->fds[1 + i].fd);
	f->count--;
	f->sandbox[i] = f->sandbox[f->count];
	f->fds[1 + i] = f->fds[1 + f->count];
	say(&m, sizeof(m), -1);
}

static void on_build(struct fake *f, const struct link_build *build)
{
	struct link_built m = {.sandbox = build->sandbox, .pid = 1, .memory_bytes = f->memory};
	int pair[2];

	f->builds++;
	if (f->fail_builds > 0) {
		f->fail_builds--;
		fail(build->sandbox, build->slot, "pretended: disk full");
		return;
	}
	if (f->count == SANDBOXES_MAX || channel_pair(pair, NULL) < 0)
		_exit(1);
	f->sandbox[f->count].id = build->sandbox;
	f->sandbox[f->count].slot = build->slot;
	f->sandbox[f->count].is_bound = false;
	f->fds[1 + f->count++] = (struct pollfd){.fd = pair[1], .events = POLLIN};
	link_header(&m.header, LINK_BUILT, sizeof(m));
	m.stages.total_ns = 500000;
	say(&m, sizeof(m), pair[0]);
	close(pair[0]);
	if (f->builds == f->hangup) {
		/* Its place is kept until KILL; nothing is to be read from it. */
		close(pair[1]);
		f->fds[f->count].fd = -1;
	} else if (f->builds == f->ended) {
		end(f, f->count - 1, false, "");
	}
}

static void on_bind(struct fake *f, const struct link_bind *bind)
{
	struct link_bound m = {.sandbox = bind->sandbox,
		.bind_ns = 50000,
		.is_soft = f->soft && bind->workspace_bytes};
	size_t i = 0;

	while (i < f->count && f->sandbox[i].id != bind->sandbox)
		i++;
	if (i < f->count && f->end_binds > 0) {
		f->end_binds--;
		end(f, i, false, "");
		i = f->count;
	}
	if (i == f->count || f->sandbox[i].is_bound || f->fail_binds > 0) {
		f->fail_binds -= f->fail_binds > 0;
		fail(bind->sandbox, i < f->count ? f->sandbox[i].slot : 0,
			"pretended: workspace: no space");
		return;
	}
	f->sandbox[i].is_bound = true;
	link_header(&m.header, LINK_BOUND, sizeof(m));
	say(&m, sizeof(m), -1);
}

static void on_freeze(struct fake *f, const struct link_freeze *m)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->sandbox[i].id == m->sandbox)
			f->fds[1 + i].events = m->is_frozen ? 0 : POLLIN;
}

static void on_kill(struct fake *f, const struct link_kill *m)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->sandbox[i].id == m->sandbox) {
			end(f, i, true, "");
			return;
		}
}

/* An end of a sandbox that never was. */
static void say_nonsense(void)
{
	struct link_ended m = {.sandbox = 999999};

	link_header(&m.header, LINK_ENDED, sizeof(m));
	say(&m, sizeof(m), -1);
}

static void on_message(struct fake *f)
{
	static _Alignas(8) char packet[LINK_PACKET_MAX];
	const struct message_header *h = (const void *)packet;
	int fds[CHANNEL_FDS_MAX];
	size_t count = 0;

	if (channel_receive(LINK_FD, packet, sizeof(packet), fds, &count) <= 0)
		_exit(0);
	channel_close_fds(fds, count);
	f->messages++;
	if (f->messages == f->die_at)
		_exit(1);
	if (f->messages == f->hang_at)
		for (;;)
			pause();
	if (f->messages == f->wrong_at)
		say_nonsense();
	else if (h->type == LINK_START)
		on_start(f);
	else if (h->type == LINK_SLOT)
		on_slot(f, (const void *)packet);
	else if (h->type == LINK_BUILD)
		on_build(f, (const void *)packet);
	else if (h->type == LINK_BIND)
		on_bind(f, (const void *)packet);
	else if (h->type == LINK_FREEZE)
		on_freeze(f, (const void *)packet);
	else if (h->type == LINK_KILL)
		on_kill(f, (const void *)packet);
}

/* What the owner says inside: it may end the sandbox. */
static void on_channel(struct fake *f, size_t i)
{
	char word[8] = "";
	ssize_t n = read(f->fds[1 + i].fd, word, sizeof(word) - 1);

	if (n > 0 &&
		(strcmp(word, "die") == 0 || strcmp(word, "oom") == 0 || strcmp(word, "late") == 0))
		end(f, i, false, word);
	else if (n <= 0)
		f->fds[1 + i].events = 0; /* nobody has the other end; KILL will come */
}

int main(void)
{
	static struct fake f;

	parse(&f, getenv("FAKE_BUILDER"));
	f.fds[0] = (struct pollfd){.fd = LINK_FD, .events = POLLIN};
	for (;;) {
		if (poll(f.fds, 1 + f.count, -1) < 0)
			return 1;
		if (f.fds[0].revents) { /* first: a FREEZE was sent before what it is to stop */
			on_message(&f);
			continue;
		}
		for (size_t i = f.count; i-- > 0;)
			if (f.fds[1 + i].revents & POLLIN)
				on_channel(&f, i);
	}
}
