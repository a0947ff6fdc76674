/*
 * The compiler: rows -> number to action -> runs of equal action (intervals) -> a balanced tree of
 * comparisons with a return at each leaf. The tree is small, so that loading it is fast; the kernel
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/error.h"
#include "nsjail-lite/seccomp_policy.h"

#define NUMBERS	     1024 /* system call numbers that are looked at; above: ENOSYS */
#define X32_BIT	     0x40000000u
#define RET_ERRNO(e) (SECCOMP_RET_ERRNO | (e))
#define NEW_NAMESPACES                                                                             \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
		CLONE_NEWPID | CLONE_NEWNET)
#define CLONE_NEWTIME_ 0x80 /* in clone() the low byte is the exit signal */

struct interval {
	uint32_t first;
	enum seccomp_action action;
};

static void emit(struct seccomp_program *p, uint16_t code, uint8_t jt, uint8_t jf, uint32_t k)
{
	if (p->count < SECCOMP_PROGRAM_MAX)
		p->instructions[p->count] = (struct sock_filter){code, jt, jf, k};
	p->count++;
}

static void emit_return(struct seccomp_program *p, uint32_t value)
{
	emit(p, BPF_RET | BPF_K, 0, 0, value);
}

static void emit_load_argument(struct seccomp_program *p, unsigned index)
{
	/* The low half: the kernel too looks at 32 bits of these arguments. Little-endian. */
	emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0,
		(uint32_t)(offsetof(struct seccomp_data, args) + 8 * index));
}

/* Return `value` when the accumulator equals k; else go on. */
static void emit_if_equal(struct seccomp_program *p, uint32_t k, uint32_t value)
{
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, k);
	emit_return(p, value);
}

/* Return `value` when any bit of mask is set; else go on. */
static void emit_if_any(struct seccomp_program *p, uint32_t mask, uint32_t value)
{
	emit(p, BPF_JMP | BPF_JSET | BPF_K, 0, 1, mask);
	emit_return(p, value);
}

/* Skip what emit_* adds until patch_skip() when the accumulator is not k. */
static uint32_t emit_skip_unless(struct seccomp_program *p, uint32_t k)
{
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, k);
	return p->count;
}

static void patch_skip(struct seccomp_program *p, uint32_t from)
{
	if (p->count <= SECCOMP_PROGRAM_MAX)
		p->instructions[from - 1].jf = (uint8_t)(p->count - from);
}

static void emit_socket(struct seccomp_program *p)
{
	static const uint32_t rare[] = {
		132 /* SCTP */, 33 /* DCCP */, 136 /* UDPLITE */, 115 /* L2TP */, 262 /* MPTCP */};
	uint32_t skip;

	emit_load_argument(p, 0);
	emit_if_equal(p, AF_UNIX, SECCOMP_RET_ALLOW);
	skip = emit_skip_unless(p, AF_NETLINK);
	emit_load_argument(p, 2);
	emit_if_equal(p, 0 /* NETLINK_ROUTE */, SECCOMP_RET_ALLOW);
	/* Not EPERM: that makes groupadd and su give up where this lets them go on without audit. */
	emit_return(p, RET_ERRNO(EAFNOSUPPORT));
	patch_skip(p, skip);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, 2, 0, AF_INET);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, AF_INET6);
	emit_return(p, RET_ERRNO(EAFNOSUPPORT));
	emit_load_argument(p, 1);
	emit(p, BPF_ALU | BPF_AND | BPF_K, 0, 0, 0xf); /* without SOCK_CLOEXEC, SOCK_NONBLOCK */
	emit(p, BPF_JMP | BPF_JGE | BPF_K, 0, 1, SOCK_RAW + 1);
	emit_return(p, RET_ERRNO(ESOCKTNOSUPPORT));
	emit_load_argument(p, 2);
	for (size_t i = 0; i < sizeof(rare) / sizeof(rare[0]); i++)
		emit_if_equal(p, rare[i], RET_ERRNO(EPROTONOSUPPORT));
	emit_return(p, SECCOMP_RET_ALLOW);
}

/* Pairs of level and option: the level is looked at once, the option within it. */
static void emit_setsockopt(struct seccomp_program *p)
{
	static const struct {
		uint32_t level;
		uint32_t options[3]; /* 0: none */
	} denied[] = {
		{6, {31 /* TCP_ULP */}},
		{17, {100 /* UDP_ENCAP */}},
		{0, {64 /* IPT_SO_SET_REPLACE */, 65 /* IPT_SO_SET_ADD_COUNTERS */}},
		{41, {64 /* IP6T_SO_SET_REPLACE */, 65}},
		{SOL_SOCKET, {50 /* SO_ATTACH_BPF */, 51 /* and of reuseport groups */, 52}},
	};

	emit_load_argument(p, 1);
	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++) {
		uint32_t skip = emit_skip_unless(p, denied[i].level);

		emit_load_argument(p, 2);
		for (size_t k = 0; k < 3 && denied[i].options[k]; k++)
			emit_if_equal(p, denied[i].options[k], RET_ERRNO(EPERM));
		emit_return(p, SECCOMP_RET_ALLOW);
		patch_skip(p, skip);
	}
	emit_return(p, SECCOMP_RET_ALLOW);
}

static void emit_equal_list(struct seccomp_program *p, const uint32_t *values, size_t count,
	uint32_t value, uint32_t otherwise)
{
	for (size_t i = 0; i < count; i++)
		emit_if_equal(p, values[i], value);
	emit_return(p, otherwise);
}

static void emit_leaf(struct seccomp_program *p, enum seccomp_action action)
{
	static const uint32_t ioctls[] = {
		0x5412 /* TIOCSTI */, 0x541c /* TIOCLINUX */, 0x5423 /* TIOCSETD */};
	static const uint32_t personalities[] = {0, 8, 0x20000, 0x20008, 0xffffffff};

	switch (action) {
	case ACTION_ALLOW:
		emit_return(p, SECCOMP_RET_ALLOW);
		break;
	case ACTION_EPERM:
		emit_return(p, RET_ERRNO(EPERM));
		break;
	case ACTION_ENOSYS:
		emit_return(p, RET_ERRNO(ENOSYS));
		break;
	case ACTION_CHECK_CLONE:
	case ACTION_CHECK_UNSHARE:
		emit_load_argument(p, 0);
		emit_if_any(p,
			NEW_NAMESPACES | (action == ACTION_CHECK_UNSHARE ? CLONE_NEWTIME_ : 0),
			RET_ERRNO(EPERM));
		emit_return(p, SECCOMP_RET_ALLOW);
		break;
	case ACTION_CHECK_SOCKET:
		emit_socket(p);
		break;
	case ACTION_CHECK_SOCKETPAIR:
		emit_load_argument(p, 0);
		emit_if_equal(p, AF_UNIX, SECCOMP_RET_ALLOW);
		emit_return(p, RET_ERRNO(EAFNOSUPPORT));
		break;
	case ACTION_CHECK_SETSOCKOPT:
		emit_setsockopt(p);
		break;
	case ACTION_CHECK_IOCTL:
		emit_load_argument(p, 1);
		emit_equal_list(p, ioctls, 3, RET_ERRNO(EPERM), SECCOMP_RET_ALLOW);
		break;
	case ACTION_CHECK_PERSONALITY:
		emit_load_argument(p, 0);
		emit_equal_list(p, personalities, 5, SECCOMP_RET_ALLOW, RET_ERRNO(EPERM));
		break;
	case ACTION_CHECK_OOB_ARG2:
	case ACTION_CHECK_OOB_ARG3:
		emit_load_argument(p, action == ACTION_CHECK_OOB_ARG2 ? 2 : 3);
		emit_if_any(p, MSG_OOB, RET_ERRNO(EOPNOTSUPP));
		emit_return(p, SECCOMP_RET_ALLOW);
		break;
	}
}

/* The tree over intervals[first..last]; the accumulator holds the number. -E2BIG: a jump is too far. */
static int emit_tree(
	struct seccomp_program *p, const struct interval *intervals, size_t first, size_t last)
{
	size_t middle = first + (last - first + 1) / 2;
	uint32_t at;
	int r;

	if (first == last) {
		emit_leaf(p, intervals[first].action);
		return 0;
	}
	at = p->count;
	emit(p, BPF_JMP | BPF_JGE | BPF_K, 0, 0, intervals[middle].first);
	r = emit_tree(p, intervals, first, middle - 1);
	if (r < 0)
		return r;
	if (p->count > SECCOMP_PROGRAM_MAX || p->count - at - 1 > UINT8_MAX)
		return -E2BIG;
	p->instructions[at].jt = (uint8_t)(p->count - at - 1);
	return emit_tree(p, intervals, middle, last);
}

/* One word of a row: "name" or "name=N". */
static int set_action(enum seccomp_action *actions, bool *named, char *word,
	enum seccomp_action action, struct error *err)
{
	char *equals = strchr(word, '=');
	int number;

	if (equals) {
		int known;

		*equals = '\0';
		number = atoi(equals + 1);
		known = seccomp_syscall_resolve_name(word);
		if (known >= 0 && known != number)
			return error_set(err, EINVAL, "seccomp: %s is call %d, the table says %d",
				word, known, number);
	} else {
		number = seccomp_syscall_resolve_name(word);
	}
	if (number < 0) /* not on this architecture: nothing to allow or to refuse */
		return number == __NR_SCMP_ERROR
			       ? error_set(err, EINVAL, "seccomp: %s is no system call", word)
			       : 0;
	if (number >= NUMBERS)
		return error_set(err, EINVAL, "seccomp: %s: number %d is too large", word, number);
	if (named[number])
		return error_set(err, EINVAL, "seccomp: %s stands in two rows", word);
	named[number] = true;
	actions[number] = action;
	return 0;
}

static int fill_actions(enum seccomp_action actions[NUMBERS], struct error *err)
{
	bool named[NUMBERS] = {false};

	for (size_t i = 0; i < NUMBERS; i++)
		actions[i] = ACTION_ENOSYS;
	for (size_t i = 0; i < seccomp_policy_count; i++) {
		char *calls = strdup(seccomp_policy[i].calls), *save = NULL;
		int r = calls ? 0 : error_set(err, ENOMEM, "seccomp: out of memory");

		for (char *word = r == 0 ? strtok_r(calls, " ", &save) : NULL; word && r == 0;
			word = strtok_r(NULL, " ", &save))
			r = set_action(actions, named, word, seccomp_policy[i].action, err);
		free(calls);
		if (r < 0)
			return r;
	}
	return 0;
}

int seccomp_compile(struct seccomp_program *ret_program, struct error *err)
{
	static const uint32_t arch_offset = offsetof(struct seccomp_data, arch);
	enum seccomp_action actions[NUMBERS];
	struct interval intervals[NUMBERS + 1];
	struct seccomp_program p = {.count = 0};
	size_t count = 0;
	int r = fill_actions(actions, err);

	if (r < 0)
		return r;
	for (uint32_t n = 0; n < NUMBERS; n++)
		if (n == 0 || actions[n] != actions[n - 1])
			intervals[count++] = (struct interval){n, actions[n]};
	if (intervals[count - 1].action != ACTION_ENOSYS)
		intervals[count++] = (struct interval){NUMBERS, ACTION_ENOSYS};
	emit(&p, BPF_LD | BPF_W | BPF_ABS, 0, 0, arch_offset);
	emit(&p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, AUDIT_ARCH_X86_64);
	emit_return(&p, SECCOMP_RET_KILL_PROCESS);
	emit(&p, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
	emit(&p, BPF_JMP | BPF_JGE | BPF_K, 0, 1, X32_BIT);
	emit_return(&p, SECCOMP_RET_KILL_PROCESS);
	r = emit_tree(&p, intervals, 0, count - 1);
	if (r < 0 || p.count > SECCOMP_PROGRAM_MAX)
		return error_set(err, E2BIG, "seccomp: the program is too long");
	*ret_program = p;
	return 0;
}

uint32_t seccomp_evaluate(const struct seccomp_program *program, uint32_t arch, uint32_t number,
	const uint64_t arguments[6])
{
	struct seccomp_data data = {.nr = (int)number, .arch = arch};
	uint32_t a = 0;

	memcpy(data.args, arguments, sizeof(data.args));
	for (uint32_t pc = 0; pc < program->count; pc++) {
		const struct sock_filter *i = &program->instructions[pc];
		bool yes = false;

		switch (i->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&a, (const char *)&data + i->k, sizeof(a));
			continue;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= i->k;
			continue;
		case BPF_RET | BPF_K:
			return i->k;
		case BPF_JMP | BPF_JEQ | BPF_K:
			yes = a == i->k;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			yes = a >= i->k;
			break;
		case BPF_JMP | BPF_JSET | BPF_K:
			yes = (a & i->k) != 0;
			break;
		}
		pc += yes ? i->jt : i->jf;
	}
	return SECCOMP_RET_KILL_PROCESS;
}
