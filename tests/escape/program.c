/*
 * escape-probe INDEX TARGET MARKER [control] - make the attempt of this row and print "outcome N".
 * escape-probe --has RIGHT - status 0 or 1: for attempts that exec it anew: identity.c.
 * escape-probe --load - status 0 or an errno: likewise, filter.c.
 * escape-probe --random SEED - calls at random: random.c.
 * escape-probe --search DISGUISED - for a secret in every byte: search.c.
 * escape-probe --swap A B - exchange two names without an end.
 * escape-probe - list the rows. For use by hand.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/escape/families.h"
#include "tests/escape/search.h"

static int list(void)
{
	const struct probe *p;

	for (size_t i = 0; (p = probe_at(i)); i++)
		printf("%zu %s %s\n", i, p->id, p->name);
	return 0;
}

static int call(const long *c)
{
	return probe_result(syscall(c[0], c[1], c[2], c[3], c[4], c[5], c[6]));
}

/* Until somebody kills this. */
static _Noreturn void swap(const char *a, const char *b)
{
	puts("swapping");
	fflush(stdout);
	for (;;) {
		syscall(SYS_renameat2, AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
		sched_yield();
	}
}

int main(int argc, char **argv)
{
	const struct probe *p;
	int r;

	if (argc == 1)
		return list();
	if (argc == 2 && strcmp(argv[1], "--load") == 0)
		return -filter_load_and_unshare();
	if (argc == 3 && strcmp(argv[1], "--has") == 0)
		return identity_has(argv[2]) ? 0 : 1;
	if (argc == 3 && strcmp(argv[1], "--search") == 0)
		return search_everything(argv[2]);
	if (argc == 4 && strcmp(argv[1], "--swap") == 0)
		swap(argv[2], argv[3]);
	if (argc == 3 && strcmp(argv[1], "--random") == 0)
		return random_calls(strtoul(argv[2], NULL, 10));
	if (argc < 4)
		return 2;
	p = probe_at(strtoul(argv[1], NULL, 10));
	if (!p)
		return 2;
	probe_target = atoi(argv[2]);
	probe_marker = argv[3];
	probe_is_control = argc > 4;
	r = p->attempt ? p->attempt(p) : call(p->call);
	/* write(): an attempt may have forked, or closed what stdio believes in. */
	dprintf(STDOUT_FILENO, "\noutcome %d\n", r < 0 ? -r : WORKED);
	return 0;
}
