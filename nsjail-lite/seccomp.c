/*
 * The compiler: rows -> number to action -> runs of equal action (intervals) -> a balanced tree of
 * comparisons that ends in returns. The tree is small, so that loading it is fast; the kernel
 * remembers which numbers are always allowed.
 */
#include "nsjail-lite/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/number.h"
#include "nsjail-lite/seccomp_policy.h"

#define NUMBERS	     1024 /* system call numbers that are looked at; above: ENOSYS */
#define X32_BIT	     0x40000000u
#define RET_ERRNO(e) (SECCOMP_RET_ERRNO | (e))
#define NEW_NAMESPACES                                                                             \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
		CLONE_NEWPID | CLONE_NEWNET)
#define CLONE_NEWTIME_ 0x80 /* in clone() the low byte is the exit signal */

#define VERDICT_KILL (-1) /* in the place of a row's action */

struct interval {
	uint32_t first;
	int verdict; /* an enum seccomp_action, or VERDICT_KILL */
};

/*
 * A program while it grows. A jump to a return says which; each return stands once, at the end,
 * because every instruction costs time when it is loaded.
 */
struct assembly {
	struct seccomp_program program;
	uint32_t yes[SECCOMP_PROGRAM_MAX], no[SECCOMP_PROGRAM_MAX]; /* GO_ON: jt, jf are right */
};
#define GO_ON 0u /* no return of ours has this value: it would kill a thread */

static void emit(struct assembly *a, uint16_t code, uint32_t k, uint32_t yes, uint32_t no)
{
	struct seccomp_program *p = &a->program;

	if (p->count < SECCOMP_PROGRAM_MAX) {
		p->instructions[p->count] = (struct sock_filter){code, 0, 0, k};
		a->yes[p->count] = yes;
		a->no[p->count] = no;
	}
	p->count++;
}

static void emit_return(struct assembly *a, uint32_t value)
{
	emit(a, BPF_RET | BPF_K, value, GO_ON, GO_ON);
}

static void emit_load(struct assembly *a, size_t offset)
{
	emit(a, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, GO_ON, GO_ON);
}

static void emit_load_argument(struct assembly *a, unsigned index)
{
	/* The low half: the kernel too looks at 32 bits of these arguments. Little-endian. */
	emit_load(a, offsetof(struct seccomp_data, args) + 8 * index);
}

/* Return `value` when the accumulator is in the list, else `otherwise`. */
static void emit_if_in(
	struct assembly *a, const uint32_t *list, size_t count, uint32_t value, uint32_t otherwise)
{
	for (size_t i = 0; i < count; i++)
		emit(a, BPF_JMP | BPF_JEQ | BPF_K, list[i], value,
			i + 1 < count ? GO_ON : otherwise);
}

/* Return `value` when any bit of mask is set, else `otherwise`. */
static void emit_if_any(struct assembly *a, uint32_t mask, uint32_t value, uint32_t otherwise)
{
	emit(a, BPF_JMP | BPF_JSET | BPF_K, mask, value, otherwise);
}

/* Skip what emit_* adds until patch_skip() when the accumulator is not k. */
static uint32_t emit_skip_unless(struct assembly *a, uint32_t k)
{
	emit(a, BPF_JMP | BPF_JEQ | BPF_K, k, GO_ON, GO_ON);
	return a->program.count;
}

static void patch_skip(struct assembly *a, uint32_t from)
{
	if (a->program.count <= SECCOMP_PROGRAM_MAX)
		a->program.instructions[from - 1].jf = (uint8_t)(a->program.count - from);
}

static void emit_socket(struct assembly *a)
{
	static const uint32_t rare[] = {
		132 /* SCTP */, 33 /* DCCP */, 136 /* UDPLITE */, 115 /* L2TP */, 262 /* MPTCP */};
	uint32_t skip;

	emit_load_argument(a, 0);
	emit(a, BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, SECCOMP_RET_ALLOW, GO_ON);
	skip = emit_skip_unless(a, AF_NETLINK);
	emit_load_argument(a, 2);
	/* Not EPERM: that makes groupadd and su give up where this lets them go on without audit. */
	emit(a, BPF_JMP | BPF_JEQ | BPF_K, 0 /* NETLINK_ROUTE */, SECCOMP_RET_ALLOW,
		RET_ERRNO(EAFNOSUPPORT));
	patch_skip(a, skip);
	skip = emit_skip_unless(a, AF_INET);
	emit(a, BPF_JMP | BPF_JA, 1, GO_ON, GO_ON);
	patch_skip(a, skip);
	emit(a, BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, GO_ON, RET_ERRNO(EAFNOSUPPORT));
	emit_load_argument(a, 1);
	emit(a, BPF_ALU | BPF_AND | BPF_K, 0xf, GO_ON, GO_ON); /* without SOCK_CLOEXEC and such */
	emit(a, BPF_JMP | BPF_JGE | BPF_K, SOCK_RAW + 1, RET_ERRNO(ESOCKTNOSUPPORT), GO_ON);
	emit_load_argument(a, 2);
	emit_if_in(a, rare, sizeof(rare) / sizeof(rare[0]), RET_ERRNO(EPROTONOSUPPORT),
		SECCOMP_RET_ALLOW);
}

/* Pairs of level and option: the level is looked at once, the option within it. */
static void emit_setsockopt(struct assembly *a)
{
	static const struct {
		uint32_t level;
		uint32_t options[3];
		size_t count;
	} denied[] = {
		{6, {31 /* TCP_ULP */}, 1},
		{17, {100 /* UDP_ENCAP */}, 1},
		{0, {64 /* IPT_SO_SET_REPLACE */, 65 /* IPT_SO_SET_ADD_COUNTERS */}, 2},
		{41, {64 /* IP6T_SO_SET_REPLACE */, 65}, 2},
		{SOL_SOCKET, {50 /* SO_ATTACH_BPF */, 51 /* and of reuseport groups */, 52}, 3},
	};

	emit_load_argument(a, 1);
	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++) {
		uint32_t skip = emit_skip_unless(a, denied[i].level);

		emit_load_argument(a, 2);
		emit_if_in(
			a, denied[i].options, denied[i].count, RET_ERRNO(EPERM), SECCOMP_RET_ALLOW);
		patch_skip(a, skip);
	}
	emit_return(a, SECCOMP_RET_ALLOW);
}

static const uint32_t refused_ioctls[] = {0x5412 /* TIOCSTI */, 0x541c /* TIOCLINUX */,
	0x5423 /* TIOCSETD */, 1 /* FIBMAP */, 0xc020660b /* FS_IOC_FIEMAP */};
static const uint32_t personalities[] = {0, 8, 0x20000, 0x20008, 0xffffffff};

static void emit_check(struct assembly *a, enum seccomp_action action)
{
	switch (action) {
	case ACTION_ALLOW:
	case ACTION_EPERM:
	case ACTION_ENOSYS:
		break; /* verdict_value() */
	case ACTION_CHECK_CLONE:
	case ACTION_CHECK_UNSHARE:
		emit_load_argument(a, 0);
		emit_if_any(a,
			NEW_NAMESPACES | (action == ACTION_CHECK_UNSHARE ? CLONE_NEWTIME_ : 0),
			RET_ERRNO(EPERM), SECCOMP_RET_ALLOW);
		break;
	case ACTION_CHECK_SOCKET:
		emit_socket(a);
		break;
	case ACTION_CHECK_SOCKETPAIR:
		emit_load_argument(a, 0);
		emit(a, BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, SECCOMP_RET_ALLOW,
			RET_ERRNO(EAFNOSUPPORT));
		break;
	case ACTION_CHECK_SETSOCKOPT:
		emit_setsockopt(a);
		break;
	case ACTION_CHECK_IOCTL:
		emit_load_argument(a, 1);
		emit_if_in(a, refused_ioctls, ARRAY_SIZE(refused_ioctls), RET_ERRNO(EPERM),
			SECCOMP_RET_ALLOW);
		break;
	case ACTION_CHECK_PERSONALITY:
		emit_load_argument(a, 0);
		emit_if_in(a, personalities, 5, SECCOMP_RET_ALLOW, RET_ERRNO(EPERM));
		break;
	case ACTION_CHECK_OOB_ARG2:
	case ACTION_CHECK_OOB_ARG3:
		emit_load_argument(a, action == ACTION_CHECK_OOB_ARG2 ? 2 : 3);
		emit_if_any(a, MSG_OOB, RET_ERRNO(EOPNOTSUPP), SECCOMP_RET_ALLOW);
		break;
	}
}

/* What is returned whatever the arguments; GO_ON when they are looked at. */
static uint32_t verdict_value(int verdict)
{
	switch (verdict) {
	case VERDICT_KILL:
		return SECCOMP_RET_KILL_PROCESS;
	case ACTION_ALLOW:
		return SECCOMP_RET_ALLOW;
	case ACTION_EPERM:
		return RET_ERRNO(EPERM);
	case ACTION_ENOSYS:
		return RET_ERRNO(ENOSYS);
	}
	return GO_ON;
}

/*
 * Where to divide intervals[first..last]: so that both sides have about as many numbers of known
 * calls, because the kernel runs the program once for each of them when it is loaded.
 */
static size_t find_middle(const struct interval *intervals, size_t first, size_t last)
{
	uint32_t begin = intervals[first].first, end = intervals[last].first + 1;
	size_t middle = first + 1;

	if (end > SECCOMP_NEWEST)
		end = begin > SECCOMP_NEWEST ? begin : SECCOMP_NEWEST;
	while (middle < last && intervals[middle].first - begin < (end - begin) / 2)
		middle++;
	return middle;
}

/* The tree over intervals[first..last]; the accumulator holds the number. -E2BIG: a jump is too far. */
static int emit_tree(
	struct assembly *a, const struct interval *intervals, size_t first, size_t last)
{
	struct seccomp_program *p = &a->program;
	size_t middle;
	uint32_t at, left, right;
	int r;

	if (first == last) {
		emit_check(a, (enum seccomp_action)intervals[first].verdict);
		return 0;
	}
	middle = find_middle(intervals, first, last);
	left = middle - 1 == first ? verdict_value(intervals[first].verdict) : GO_ON;
	right = middle == last ? verdict_value(intervals[last].verdict) : GO_ON;
	at = p->count;
	emit(a, BPF_JMP | BPF_JGE | BPF_K, intervals[middle].first, right, left);
	r = left == GO_ON ? emit_tree(a, intervals, first, middle - 1) : 0;
	if (r < 0 || right != GO_ON)
		return r;
	if (p->count > SECCOMP_PROGRAM_MAX || p->count - at - 1 > UINT8_MAX)
		return -E2BIG;
	p->instructions[at].jt = (uint8_t)(p->count - at - 1);
	return emit_tree(a, intervals, middle, last);
}

/* Place of the return of this value behind the first `body` instructions, where it may be new. */
static uint32_t place_return(struct assembly *a, uint32_t body, uint32_t value)
{
	const struct seccomp_program *p = &a->program;

	for (uint32_t i = body; i < p->count && i < SECCOMP_PROGRAM_MAX; i++)
		if (p->instructions[i].k == value)
			return i;
	emit_return(a, value);
	return p->count - 1;
}

/* -E2BIG: the program is too long, or one of its jumps to a return. */
static int link_returns(struct assembly *a)
{
	struct seccomp_program *p = &a->program;
	uint32_t body = p->count;

	for (uint32_t i = 0; i < body && body <= SECCOMP_PROGRAM_MAX; i++) {
		const uint32_t values[] = {a->yes[i], a->no[i]};
		uint8_t *jumps[] = {&p->instructions[i].jt, &p->instructions[i].jf};

		for (size_t k = 0; k < 2; k++) {
			uint32_t distance;

			if (values[k] == GO_ON)
				continue;
			distance = place_return(a, body, values[k]) - i - 1;
			if (distance > UINT8_MAX)
				return -E2BIG;
			*jumps[k] = (uint8_t)distance;
		}
	}
	return p->count > SECCOMP_PROGRAM_MAX ? -E2BIG : 0;
}

/* One word of a row: "name" or "name=N". */
static int set_action(enum seccomp_action *actions, bool *named, char *word,
	enum seccomp_action action, struct error *err)
{
	char *equals = strchr(word, '=');
	int number;

	if (equals) {
		uint64_t value;
		int known;

		*equals = '\0';
		if (number_parse(equals + 1, 0, NUMBERS - 1, &value) < 0)
			return error_set(err, EINVAL, "seccomp: %s=%s: not a number below %d", word,
				equals + 1, NUMBERS);
		number = (int)value;
		known = seccomp_syscall_resolve_name(word);
		if (known >= 0 && known != number)
			return error_set(err, EINVAL, "seccomp: %s is call %d, the table says %d",
				word, known, number);
	} else {
		number = seccomp_syscall_resolve_name(word);
	}
	if (number == __NR_SCMP_ERROR || number >= NUMBERS)
		return error_set(err, EINVAL, "seccomp: %s is no system call", word);
	if (number < 0)
		return 0; /* not on this architecture: nothing to allow or to refuse */
	if (named[number])
		return error_set(err, EINVAL, "seccomp: %s stands in two rows", word);
	named[number] = true;
	actions[number] = action;
	return 0;
}

static int fill_actions(const struct seccomp_row *rows, size_t row_count,
	enum seccomp_action actions[NUMBERS], struct error *err)
{
	bool named[NUMBERS] = {false};

	for (size_t i = 0; i < NUMBERS; i++)
		actions[i] = ACTION_ENOSYS;
	for (size_t i = 0; i < row_count; i++) {
		char *calls = strdup(rows[i].calls), *save = NULL;
		int r = calls ? 0 : error_set(err, ENOMEM, "seccomp: out of memory");

		for (char *word = r == 0 ? strtok_r(calls, " ", &save) : NULL; word && r == 0;
			word = strtok_r(NULL, " ", &save))
			r = set_action(actions, named, word, rows[i].action, err);
		free(calls);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Runs of equal verdicts. Numbers of x32, which has its bit set, end the process too. */
static size_t make_intervals(
	const enum seccomp_action actions[NUMBERS], struct interval intervals[NUMBERS + 3])
{
	size_t count = 0;

	for (uint32_t n = 0; n < NUMBERS; n++)
		if (n == 0 || actions[n] != actions[n - 1])
			intervals[count++] = (struct interval){n, (int)actions[n]};
	if (intervals[count - 1].verdict != ACTION_ENOSYS)
		intervals[count++] = (struct interval){NUMBERS, ACTION_ENOSYS};
	intervals[count++] = (struct interval){X32_BIT, VERDICT_KILL};
	/* A debugger writes -1 over the number of a call that it wants skipped. */
	intervals[count++] = (struct interval){UINT32_MAX, ACTION_ENOSYS};
	return count;
}

int seccomp_compile(struct seccomp_program *ret_program, struct error *err)
{
	return seccomp_compile_rows(seccomp_policy, seccomp_policy_count, ret_program, err);
}

int seccomp_compile_rows(const struct seccomp_row *rows, size_t row_count,
	struct seccomp_program *ret_program, struct error *err)
{
	enum seccomp_action actions[NUMBERS];
	struct interval intervals[NUMBERS + 3];
	struct assembly a = {.program.count = 0};
	int r = fill_actions(rows, row_count, actions, err);

	if (r < 0)
		return r;
	emit_load(&a, offsetof(struct seccomp_data, arch));
	emit(&a, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, GO_ON, SECCOMP_RET_KILL_PROCESS);
	emit_load(&a, offsetof(struct seccomp_data, nr));
	r = emit_tree(&a, intervals, 0, make_intervals(actions, intervals) - 1);
	if (r == 0)
		r = link_returns(&a);
	if (r < 0)
		return error_set(err, E2BIG, "seccomp: the program is too long");
	*ret_program = a.program;
	return 0;
}
