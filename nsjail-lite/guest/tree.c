#include "nsjail-lite/guest/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "nsjail-lite/guest/exec.h"
#include "nsjail-lite/guest/job.h"

#define PASS_INTERVAL_NS  NS_PER_MS
#define STOP_PASSES_MAX	  50   /* somebody wakes them again and again: kill them running */
#define CLEAN_PASSES	  2    /* strays have no subreaper whose end would prove it */
#define ZOMBIE_PASSES_MAX 50   /* a foreign tracer keeps a zombie from its runner */
#define KILL_PASSES_MAX	  5000 /* they outrun us with help from outside their tree */
#define PROCESSES_STEP	  256u
#define PROCESSES_MAX	  65536u

void tree_kill_start(struct guest *guest, struct tree_kill *kill)
{
	if (kill->is_on)
		return;
	*kill = (struct tree_kill){.is_on = true};
	guest->tree.next_pass_ns = 1; /* at once */
}

void tree_kill_strays(struct guest *guest)
{
	guest->tree.strays.is_on = false; /* count anew: there may be more of them */
	tree_kill_start(guest, &guest->tree.strays);
}

/* A zombie whose threads live on can still fork. */
static bool is_dead(char state, int threads)
{
	return state == 'X' || (state == 'Z' && threads <= 1);
}

/*
 * State and parent of a process. The name before them may hold anything, so from the last ')' on. False: it has gone,
 * or, with *ret_is_unknown, could not be looked at.
 */
static bool read_process(
	int proc, const char *name, struct tree_process *ret_process, bool *ret_is_unknown)
{
	char path[32], text[512];
	auto_close int fd = -1;
	const char *p;
	ssize_t n;
	int parent, threads;

	snprintf(path, sizeof(path), "%.16s/stat", name);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0) {
		*ret_is_unknown |= n < 0 && errno != ENOENT && errno != ESRCH;
		return false;
	}
	text[n] = '\0';
	p = strrchr(text, ')');
	if (!p ||
		sscanf(p, ") %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %d",
			&ret_process->state, &parent, &threads) != 3)
		return false;
	ret_process->is_dead = is_dead(ret_process->state, threads);
	ret_process->pid = (pid_t)strtol(name, NULL, 10);
	ret_process->parent = parent;
	return true;
}

static const struct job *find_job(const struct guest *guest, pid_t pid)
{
	list_for_each(l, &guest->jobs)
	{
		const struct job *job = list_entry(l, struct job, member);

		if (job->pid == pid)
			return job;
	}
	return NULL;
}

/* /proc lists in the order of pids, so what has been read so far is sorted. */
static const struct tree_process *find(const struct tree *tree, pid_t pid)
{
	unsigned low = 0, high = tree->count;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (tree->processes[middle].pid < pid)
			low = middle + 1;
		else
			high = middle;
	}
	return low < tree->count && tree->processes[low].pid == pid ? &tree->processes[low] : NULL;
}

static void strike(struct tree_process *process)
{
	struct tree_kill *kill_of = process->kill;

	if (!kill_of || !kill_of->is_on || process->is_ours)
		return;
	if (process->is_dead)
		return;
	kill_of->alive++;
	/* 'D' too: it waits for a vforked child, or will stop before it runs on. */
	if (process->state != 'T' && process->state != 't' && process->state != 'D')
		kill_of->running++;
	kill(process->pid, kill_of->is_stopped ? SIGKILL : SIGSTOP);
}

/* Whose is it? Signalled at once when known: the sooner, the less can it have gone by then. */
static void classify(struct guest *guest, struct tree_process *process)
{
	const struct job *job = find_job(guest, process->pid);
	const struct tree_process *parent;

	if (job) {
		process->is_ours = true;
		process->kill = job->kill.is_on ? (struct tree_kill *)&job->kill : NULL;
		return;
	}
	if (process->parent == guest->self) {
		process->kill = &guest->tree.strays;
	} else {
		parent = find(&guest->tree, process->parent);
		process->kill = parent ? parent->kill : NULL;
	}
	strike(process);
}

/* Children with a lower pid than their parent (the numbers have wrapped) were classified too early. */
static void classify_rest(struct tree *tree)
{
	bool has_changed = true;

	while (has_changed) {
		has_changed = false;
		for (unsigned i = 0; i < tree->count; i++) {
			struct tree_process *process = &tree->processes[i];
			const struct tree_process *parent;

			if (process->kill || process->is_ours)
				continue;
			parent = find(tree, process->parent);
			if (!parent || !parent->kill)
				continue;
			process->kill = parent->kill;
			strike(process);
			has_changed = true;
		}
	}
}

static struct tree_process *add_process(struct tree *tree)
{
	struct tree_process *grown;

	if (tree->count == PROCESSES_MAX)
		return NULL;
	if (tree->count == tree->capacity) {
		grown = realloc(tree->processes,
			(tree->capacity + PROCESSES_STEP) * sizeof(*tree->processes));
		if (!grown)
			return NULL;
		tree->processes = grown;
		tree->capacity += PROCESSES_STEP;
	}
	tree->processes[tree->count] = (struct tree_process){0};
	return &tree->processes[tree->count];
}

/* False: not all that there is was seen. */
static bool scan(struct guest *guest)
{
	struct tree *tree = &guest->tree;
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	bool is_unknown = false;

	tree->count = 0;
	if (!proc)
		return false;
	while ((entry = readdir(proc))) {
		struct tree_process *process;

		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		process = add_process(tree);
		if (!process) {
			is_unknown = true;
			break;
		}
		if (!read_process(dirfd(proc), entry->d_name, process, &is_unknown))
			continue;
		tree->count++;
		classify(guest, process);
	}
	closedir(proc);
	classify_rest(tree);
	return !is_unknown;
}

/* Nothing ran any more: what has been found in this pass is all there is. */
static void kill_stopped(struct tree *tree, const struct tree_kill *kill_of)
{
	for (unsigned i = 0; i < tree->count; i++)
		if (tree->processes[i].kill == kill_of && !tree->processes[i].is_ours)
			kill(tree->processes[i].pid, SIGKILL);
}

static void step(struct guest *guest, struct tree_kill *kill_of)
{
	kill_of->passes++;
	if (!kill_of->is_stopped && (kill_of->running == 0 || kill_of->passes >= STOP_PASSES_MAX)) {
		kill_of->is_stopped = true;
		kill_stopped(&guest->tree, kill_of);
	}
	kill_of->clean_passes = kill_of->alive ? 0 : kill_of->clean_passes + 1;
	/*
	 * The whole sandbox, in one step of the kernel that no fork can slip through: everything but
	 * PID 1 itself. Only there: anywhere else it would be the whole host.
	 */
	if (kill_of->passes >= KILL_PASSES_MAX && guest->self == 1)
		kill(-1, SIGKILL);
}

static bool is_any_on(const struct guest *guest)
{
	if (guest->tree.strays.is_on)
		return true;
	list_for_each(
		l, &guest->jobs) if (list_entry(l, struct job, member)->kill.is_on) return true;
	return false;
}

/* What is alive, and runs, is counted from here on. */
static void count_from(struct guest *guest, unsigned count)
{
	guest->tree.strays.alive = guest->tree.strays.running = count;
	list_for_each(l, &guest->jobs)
	{
		struct job *job = list_entry(l, struct job, member);

		job->kill.alive = job->kill.running = count;
	}
}

static void end_pass(struct guest *guest)
{
	struct tree_kill *strays = &guest->tree.strays;

	list_for_each(l, &guest->jobs)
	{
		struct job *job = list_entry(l, struct job, member);

		if (!job->kill.is_on)
			continue;
		step(guest, &job->kill);
		if (job->kill.clean_passes >= ZOMBIE_PASSES_MAX)
			kill(job->pid, SIGKILL);
	}
	if (!strays->is_on)
		return;
	step(guest, strays);
	if (strays->clean_passes >= CLEAN_PASSES) {
		strays->is_on = false;
		exec_on_strays_gone(guest);
	}
}

void tree_pass(struct guest *guest)
{
	struct tree *tree = &guest->tree;

	if (tree->next_pass_ns == 0 || clock_now_ns() < tree->next_pass_ns)
		return;
	count_from(guest, 0);
	if (!scan(guest))
		count_from(guest, 1); /* what was not seen may be anybody's */
	end_pass(guest);
	if (is_any_on(guest)) {
		tree->next_pass_ns = clock_now_ns() + PASS_INTERVAL_NS;
		return;
	}
	tree->next_pass_ns = 0;
	free(take_ptr(&tree->processes));
	tree->count = tree->capacity = 0;
}
